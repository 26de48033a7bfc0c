import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Site } from '../flows/processes/site.js';
import { buildFixture } from '../support/build-fixture.js';
import { ROOT, run, temporary } from './checkout.js';

const PM2 = 'pm2@7.0.4';
const NAME = 'queue-worker';

interface Listed {
  readonly pid: number;
  readonly pm2_env: { readonly status: string; readonly kill_timeout: number; readonly restart_time: number };
}

const tools = temporary('pm2');
let site: Site;
/** Of a daemon of its own, which keeps everything in a folder of its own. */
const pm2 = (command: string) =>
  run(`'${tools.path}/node_modules/.bin/pm2' ${command}`, {
    cwd: site.folder,
    seconds: 60,
    env: { PM2_HOME: join(tools.path, 'home'), PM2_DISCRETE_MODE: 'true' },
  });

beforeAll(async () => {
  writeFileSync(join(tools.path, 'package.json'), '{ "private": true }');
  await run(`npm install --ignore-scripts --omit=optional ${PM2}`, { cwd: tools.path, seconds: 120 });
  site = await Site.open({ RETRY_AFTER: '1' });

  // The application as its folder looks when it is installed.
  const fixture = await buildFixture('processes', 'test/fixtures/processes');
  const installed = join(site.folder, 'node_modules/nestjs-queue');
  mkdirSync(installed, { recursive: true });
  symlinkSync(dirname(dirname(fixture.bin)), join(installed, 'dist'));
  writeFileSync(join(installed, 'package.json'), '{ "type": "module" }');
  const manifest = { 'nestjs-queue': { app: join(fixture.folder, 'app.module.js') } };
  writeFileSync(join(site.folder, 'package.json'), JSON.stringify(manifest));
  let config = readFileSync(join(ROOT, 'deploy/ecosystem.config.cjs'), 'utf8');
  for (const [from, to] of [
    ["'/srv/app'", JSON.stringify(site.folder)],
    ["NODE_ENV: 'production'", "NODE_ENV: 'production', RETRY_AFTER: '1'"],
  ] as const) {
    if (!config.includes(from)) throw new Error(`deploy/ecosystem.config.cjs has no ${from}`);
    config = config.replace(from, to);
  }
  writeFileSync(join(site.folder, 'ecosystem.config.cjs'), config);
}, 180_000);

afterAll(async () => {
  if (site !== undefined) {
    await pm2('kill');
    await site.close();
  }
  tools.remove();
}, 90_000);

it('PM2 keeps the workers of deploy/ecosystem.config.cjs up, and its stop lets their jobs end', async () => {
  const producer = await site.producer();
  await pm2('start ecosystem.config.cjs');
  await working(2);
  const [first, second] = await list();
  expect([first!.pm2_env.status, second!.pm2_env.status]).toEqual(['online', 'online']);
  expect(first!.pm2_env.kill_timeout).toBe(45_000);

  const ids = [...(await producer.dispatch(...Array.from({ length: 30 }, () => ['Stroll', 300] as const)))];
  await site.until('some work', () => site.lines('processed').length > 0);
  process.kill(first!.pid, 'SIGKILL');
  await working(3);
  await processed(ids);

  // Each worker has twenty places. PM2 stops the second one when the first has ended, and it takes twenty more until then.
  ids.push(
    ...(await producer.dispatch(['Errand', 3], ...Array.from({ length: 99 }, () => ['Stroll', 3_000] as const))),
  );
  await site.until('all places taken', () => site.lines('start').length - site.lines('end').length >= 38);
  await pm2(`stop ${NAME}`);
  expect((await list()).map(({ pm2_env }) => pm2_env.status)).toEqual(['stopped', 'stopped']);
  const left = await site.left();
  expect(left.failed).toBe(0);
  expect(left.jobs).toBeGreaterThan(0);
  expect(left.jobs).toBe(ids.length - site.lines('processed').length);
  const [errand] = site.lines('end').filter(({ info }) => info !== undefined);
  expect(errand?.info).toEqual([0, null]);
  const before = site.lines('start').length;

  await pm2(`start ${NAME}`);
  await processed(ids);
  expect(site.lines('start').length - before).toBe(left.jobs);
  expect(site.lines('processed')).toHaveLength(ids.length);
}, 150_000);

async function list(): Promise<readonly Listed[]> {
  const { stdout } = await pm2('jlist --silent');
  return JSON.parse(stdout.slice(stdout.indexOf('['))) as Listed[];
}

/** So many workers have begun so far. */
async function working(count: number): Promise<void> {
  await site.until(`${count} workers`, () => site.lines('worker-starting').length >= count);
}

async function processed(ids: readonly string[]): Promise<void> {
  await site.until('all jobs', () => {
    const done = new Set(site.lines('processed').map(({ id }) => id));
    return ids.every((id) => done.has(id));
  });
}
