import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { NodeProcess, temporaryFolder } from './processes.js';

let fixture: Fixture;
let folder: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  fixture = await buildFixture('processes', 'test/fixtures/processes');
}, 60_000);
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code).replaceAll("'", '%27')}`;
}

/** A module for which a package is not there, whoever asks for it and how. */
function without(name: string): string {
  const missing = `Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })`;
  const hook = dataUrl(`
    export const resolve = (specifier, context, next) => {
      if (specifier === '${name}') throw ${missing};
      return next(specifier, context);
    };`);
  return dataUrl(`
    import Module, { register } from 'node:module';
    register(${JSON.stringify(hook)});
    const load = Module._load;
    Module._load = function (specifier, ...more) {
      if (specifier === '${name}') throw ${missing};
      return load.call(this, specifier, ...more);
    };`);
}

const REDIS = { SITE_REDIS: JSON.stringify({ url: 'redis://127.0.0.1:1', prefix: 'none' }) };

describe('a worker without the package that its store needs', () => {
  it.each([
    ['ioredis', 'npm i ioredis', REDIS],
    ['libsql', 'npm i typeorm libsql', {}],
    ['typeorm', 'npm i typeorm pg', { QUEUE_DATABASE_URL: 'postgres://app@127.0.0.1:1/app' }],
    ['pg', 'npm i typeorm pg', { QUEUE_DATABASE_URL: 'postgres://app@127.0.0.1:1/app' }],
    ['mysql2', 'npm i typeorm mysql2', { QUEUE_DATABASE_URL: 'mysql://app@127.0.0.1:1/app' }],
  ])(
    '%s: ends at once with 1 and the command that installs it',
    async (name, install, env) => {
      const worker = new NodeProcess(
        ['--import', without(name), join(fixture.folder, 'worker.js')],
        folder.path,
        env as Record<string, string>,
      );
      const timer = setTimeout(() => worker.kill('SIGKILL'), 30_000);
      const { code, err } = await worker.ended;
      clearTimeout(timer);
      expect(err).toContain(`Run: ${install}`);
      expect(err).toContain(`needs the package ${name},`);
      expect(err).not.toMatch(/^ {4}at /m);
      expect(code).toBe(1);
    },
    60_000,
  );
});
