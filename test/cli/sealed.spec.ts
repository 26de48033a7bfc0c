import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { NodeProcess, temporaryFolder, type Ended } from './processes.js';

const CANARIES = {
  QUEUE_KEY: 'canary-key-012345678901234567890123456789',
  SECRET: 'canary-of-the-payload',
  STORE_PASSWORD: 'canary-password',
};

let fixture: Fixture;
let folder: ReturnType<typeof temporaryFolder>;
let processes: NodeProcess[];
let printed: string;

beforeAll(async () => {
  fixture = await buildFixture('cli', 'test/cli/fixture');
}, 60_000);
beforeEach(() => {
  folder = temporaryFolder();
  processes = [];
  printed = '';
});
afterEach(async () => {
  for (const one of processes) one.kill('SIGKILL');
  await Promise.all(processes.map((one) => one.ended));
  folder.remove();
});

function start(file: string, args: readonly string[], env: Record<string, string> = CANARIES): NodeProcess {
  const one = new NodeProcess([file, ...args], folder.path, env);
  processes.push(one);
  return one;
}
function bin(args: readonly string[], env?: Record<string, string>): NodeProcess {
  return start(fixture.bin, [...args, `--app=${join(fixture.folder, 'sealed.module.js')}`], env);
}
async function run(args: readonly string[], env?: Record<string, string>): Promise<Ended> {
  const ended = await bin(args, env).ended;
  printed += ended.out + ended.err;
  return ended;
}

describe('queue:key', () => {
  it('prints a fresh key, alone on its line, and needs no application', async () => {
    const first = await start(fixture.bin, ['queue:key']).ended;
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(Buffer.from(first.out, 'base64')).toHaveLength(32);
    const second = await start(fixture.bin, ['queue:key', '--json', '--quiet']).ended;
    const { key, ...others } = JSON.parse(second.out) as { key: string };
    expect(Buffer.from(key, 'base64')).toHaveLength(32);
    expect(others).toEqual({});
    expect(key).not.toBe(first.out.trim());
    // An application that lacks its key does not boot, which is when one is wanted.
    const unbooted = await run(['queue:key'], { ...CANARIES, QUEUE_KEY: '' });
    expect(unbooted.code).toBe(0);
    expect((await run(['queue:failed'], { ...CANARIES, QUEUE_KEY: '' })).err).toMatch(
      /^ERROR {2}Confide is @Encrypted\(\), and QueueModule has no key\.\n {7}Set the option key \(QUEUE_KEY\); queue:key/,
    );
  }, 60_000);
});

describe('what commands print', () => {
  it('holds no key, no password and nothing that an encrypted job carries', async () => {
    expect(await start(join(fixture.folder, 'confide.js'), []).ended).toMatchObject({ code: 0, err: '' });
    const worked = await run(['queue:work', '--stop-when-empty', '--json', '-v']);
    expect(worked.code).toBe(0);
    const lines = worked.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { status: string; message?: string });
    expect(
      lines
        .map(({ status }) => status)
        .filter((status) => status !== 'starting')
        .sort(),
    ).toEqual(['failed', 'failed', 'failed', 'success']);
    const listed = await run(['queue:failed', '-v']);
    // A name cannot forge a line, nor paint one: the heading, and a line for each of the three.
    expect(listed.out.trimEnd().split('\n')).toHaveLength(4);
    // oxlint-disable-next-line no-control-regex
    expect(worked.out + worked.err + listed.out).not.toMatch(/[\u0080-\u009f]|^2026-01-01 00:00:00 Forged/m);
    await run(['queue:failed', '--json']);
    await run(['queue:retry', 'all', '--json']);
    await run(['queue:work', '--stop-when-empty', '-v']);
    await run(['queue:failed', '--json'], { ...CANARIES, QUEUE_KEY: `${CANARIES.QUEUE_KEY}!` });
    await run(['queue:retry', 'all'], { ...CANARIES, QUEUE_KEY: `${CANARIES.QUEUE_KEY}!` });
    await run(['queue:work', '--stop-when-empty', '-v'], { ...CANARIES, QUEUE_KEY: `${CANARIES.QUEUE_KEY}!` });
    const short = CANARIES.QUEUE_KEY.slice(0, 30);
    expect(await run(['queue:failed', '-v'], { ...CANARIES, QUEUE_KEY: short })).toMatchObject({ code: 1 });
    for (const away of ['redis', 'postgres']) {
      const cleared = await run(['queue:clear', away, '--force', '-v']);
      expect(cleared).toMatchObject({ code: 1, out: '' });
    }
    for (const known of ['Confide', 'postgres://app:***@db/x', 'DecryptionError', 'is too short', 'encrypted']) {
      expect([known, printed.includes(known)]).toEqual([known, true]);
    }
    for (const [name, canary] of [...Object.entries(CANARIES), ['short key', short] as const]) {
      const place = printed.indexOf(canary);
      const around = place < 0 ? 'nowhere' : printed.slice(Math.max(0, place - 300), place + 60);
      expect([name, around]).toEqual([name, 'nowhere']);
    }
  }, 90_000);

  it('holds no password while a worker waits for a server', async () => {
    const workers = ['redis', 'postgres'].map((away) => bin(['queue:work', away, '-v']));
    await Promise.all(workers.map((one) => one.printed(/cannot be reached/)));
    const ended = await Promise.all(workers.map((one) => one.end('SIGTERM')));
    for (const { out, err } of ended) expect(out + err).not.toContain(CANARIES.STORE_PASSWORD);
  }, 60_000);
});
