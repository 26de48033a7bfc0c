import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export const DEPLOY = join(import.meta.dirname, '../../deploy');
const require = createRequire(import.meta.url);

export function deployFile(name: string): string {
  return readFileSync(join(DEPLOY, name), 'utf8');
}

/** The documents of a file of YAML, by the parser that Jest brings with it. */
export function deployYaml<T>(name: string): T {
  const { safeLoad } = require('js-yaml') as { safeLoad: (text: string) => unknown };
  return safeLoad(deployFile(name)) as T;
}

export interface Pm2Application {
  readonly script: string;
  readonly args: string;
  readonly exec_mode: string;
  readonly autorestart: boolean;
  readonly kill_timeout: number;
  readonly treekill: boolean;
}

export function pm2Applications(): readonly Pm2Application[] {
  return (require(join(DEPLOY, 'ecosystem.config.cjs')) as { readonly apps: readonly Pm2Application[] }).apps;
}

/** The value of a key of an INI file, which must be in it once. */
export function iniValue(name: string, key: string): string {
  const found = deployFile(name)
    .split('\n')
    .filter((line) => line.startsWith(`${key}=`));
  if (found.length !== 1) throw new Error(`deploy/${name} has ${key} ${found.length} times`);
  return found[0]!.slice(key.length + 1);
}

/** The list behind an instruction of the Dockerfile, which must be in it once. */
export function dockerList(instruction: string): readonly string[] {
  const found = [...deployFile('Dockerfile').matchAll(new RegExp(`^${instruction} (\\[.*\\])$`, 'gm'))];
  if (found.length !== 1) throw new Error(`deploy/Dockerfile has ${instruction} ${found.length} times`);
  return JSON.parse(found[0]![1]!) as string[];
}

/** What the Dockerfile has Docker ask a container by. */
export function dockerHealthCheck(): readonly string[] {
  const found = /^HEALTHCHECK [^\n]*\\\n +CMD (\[.*\])$/m.exec(deployFile('Dockerfile'));
  return JSON.parse(found![1]!) as string[];
}
