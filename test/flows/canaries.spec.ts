import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { LoggerService } from '@nestjs/common';
import * as queue from 'nestjs-queue';
import {
  Encrypted,
  Job,
  JobQueued,
  JobQueueing,
  Queueable,
  QueueHealth,
  Tries,
  Timeout,
  UniqueJobSkipped,
  type JobEnvelope,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { runProgram } from '../../lib/cli/program.js';
import type { OpenApp } from '../../lib/cli/open-app.js';
import { QueueMetrics } from '../../lib/metrics/queue-metrics.js';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import { Recorder } from '../cli/recorder.js';
import { onStores } from './on-stores.js';
import { closeApps, openApp, until, type Opened } from './open-app.js';

/** None of these may be seen anywhere. */
const CANARIES = {
  key: 'canary-key-of-the-current-one-0123456789',
  oldKey: 'canary-key-of-the-old-one-01234567890123',
  payload: 'canary-of-the-payload',
};
const KEY = { current: 'new', keys: { old: CANARIES.oldKey, new: CANARIES.key } };

type Way = 'done' | 'error' | 'object' | 'itself' | 'fail' | 'release' | 'late';

@Job()
@Encrypted()
@Tries(2)
@Timeout('200ms')
class Secret extends Queueable {
  readonly card = { number: CANARIES.payload };
  constructor(readonly way: Way) {
    super();
  }
  async handle(): Promise<unknown> {
    if (this.way === 'error') throw new Error('refused by the bank');
    if (this.way === 'object') throw this.card;
    if (this.way === 'itself') throw this;
    if (this.way === 'fail') this.fail();
    if (this.way === 'release') this.release();
    if (this.way === 'late') await new Promise((resolve) => this.signal.addEventListener('abort', resolve));
    return this.way === 'late' ? Promise.reject(this.signal.reason) : undefined;
  }
  failed(): void {
    throw new Error('the hook failed too');
  }
}

afterEach(closeApps);

function flows(connection: () => object): void {
  it('come to light in no log line, event, error, record or command', async () => {
    const seen: string[] = [];
    const note = (...what: unknown[]): void => {
      for (const one of what) {
        seen.push(typeof one === 'string' ? one : inspect(one, { depth: 12, getters: true, maxStringLength: null }));
      }
    };
    const logger: LoggerService = Object.fromEntries(
      ['log', 'error', 'warn', 'debug', 'verbose', 'fatal'].map((level) => [level, note]),
    ) as never;
    const options = {
      default: 'main',
      connections: { main: connection() as never },
      key: KEY,
    };
    const at = await openApp('memory', { providers: [Secret], logger, options: { ...options, maxPayload: 20_000 } });
    note(listen(at, note));
    const main = at.manager.connection();

    for (const way of ['done', 'error', 'object', 'itself', 'fail', 'release', 'late'] as const) {
      await at.bus.dispatch(new Secret(way));
    }
    note(await main.pendingJobs());
    const [spare] = await main.pendingJobs();
    await at.drain({ backoff: 0, maxJobs: 12 });
    for (const way of ['error', 'object', 'itself'] as const) {
      // Whoever calls gets what was thrown as it is; what is raised and logged on the way is looked at.
      await at.bus.dispatchSync(new Secret(way)).catch(() => undefined);
    }

    const envelope = spare!.payload as JobEnvelope;
    const tampered = [
      { ...envelope, data: (envelope.data as string).replace('"c":"', '"c":"A') },
      { ...envelope, name: 'Nobody' },
      { ...envelope, signature: `v1.new.${'A'.repeat(43)}` },
      { ...envelope, signature: `v1.lost.${'A'.repeat(43)}` },
    ];
    for (const one of tampered) {
      await main.clear();
      await main.pushRaw(JSON.stringify(one));
      await at.drain({ backoff: 0 });
    }
    const broken = (carried: unknown): Secret => Object.assign(new Secret('done'), { carried });
    for (const carried of [
      Symbol(CANARIES.payload),
      new Map([[CANARIES.payload, () => CANARIES.payload]]),
      { text: `${CANARIES.payload} `.repeat(2_000) },
    ]) {
      note(
        await at.bus.dispatch(broken(carried)).then(
          () => 'sent',
          (error: unknown) => error,
        ),
      );
      note(
        await at.bus.bulk([broken(carried)]).then(
          () => 'sent',
          (error: unknown) => error,
        ),
      );
    }
    note(await main.pushRaw(`{${CANARIES.key.slice(0, 6)}`));
    await at.drain({ backoff: 0 });

    const records = await at.failed.all();
    note(records);
    expect(records.length).toBeGreaterThanOrEqual(6);
    const runtime = at.app.get<QueueRuntime>(QUEUE_RUNTIME);
    const opened: OpenApp = {
      connections: runtime.connections,
      batches: runtime.batches,
      health: {
        health: at.app.get(QueueHealth),
        vitals: () => at.workers.vitals(),
        metrics: () => QueueMetrics.open(runtime),
      },
      manager: at.manager,
      failed: at.failed,
      worker: at.workers,
      supervisors: runtime.supervisors,
      close: async () => {},
    };
    for (const args of [
      ['queue:failed'],
      ['queue:failed', '--json'],
      ['queue:retry', records[0]!.id, '-v'],
      ['queue:retry', 'all', '--json'],
      ['queue:forget', 'nope', '-v'],
      ['queue:clear', '--json'],
    ]) {
      const recorder = new Recorder({ isTTY: true, columns: 200 });
      const output = recorder.output({ json: args.includes('--json'), verbose: args.includes('-v') });
      await runProgram(args, { name: 'nestjs-queue', module: () => class {}, open: async () => opened, output });
      note(recorder.out, recorder.err);
      expect(recorder.out + recorder.err).not.toBe('');
    }
    await at.failed.flush();
    await closeApps();

    const { key: _key, ...keyless } = options;
    const others: Partial<QueueModuleOptions>[] = [
      keyless,
      { ...options, key: { current: 'new', keys: { new: CANARIES.oldKey } } },
      { ...options, key: { current: 'x', keys: { x: CANARIES.key.slice(0, 20) } } },
    ];
    for (const one of others) {
      const again = await openApp('memory', { providers: [Secret], logger, options: one }).catch(
        (error: unknown) => error,
      );
      note(again instanceof Error ? again : 'booted');
    }

    const all = seen.join('\n');
    // The net has caught something: names, ciphertexts and errors are in it.
    for (const known of [
      'Secret',
      '"encrypted":true',
      'refused by the bank',
      'DecryptionError',
      'SignatureError',
      'is too short',
    ]) {
      expect([known, all.includes(known)]).toEqual([known, true]);
    }
    for (const [what, canary] of Object.entries(CANARIES)) {
      const place = all.indexOf(canary);
      expect([what, place < 0 ? 'nowhere' : all.slice(Math.max(0, place - 400), place + 60)]).toEqual([
        what,
        'nowhere',
      ]);
    }
    expect(all.includes(Buffer.from(CANARIES.payload).toString('base64url').slice(4, 20))).toBe(false);
  }, 30_000);
}

/** Everything that is raised. Of the two events that hand over the very object that was dispatched, all but that object. */
function listen(at: Opened, note: (what: unknown) => void): string {
  const types = Object.values(queue).filter((one) => typeof one === 'function' && 'event' in one);
  for (const type of types) {
    at.manager.on(type as typeof JobQueued, (event: object) => {
      const live = [JobQueueing, JobQueued, UniqueJobSkipped].some((one) => event instanceof one);
      note(live ? { ...event, job: undefined } : event);
    });
  }
  return `${types.length} kinds of events`;
}

describe('secrets', () => {
  it('are caught by the net of this test where they are shown', async () => {
    const at = await openApp('memory', { providers: [Secret], options: { key: KEY } });
    const events: object[] = [];
    at.manager.on(JobQueueing, (event) => void events.push(event));
    await at.bus.dispatch(new Secret('done'));
    await until(() => events.length === 1);
    expect(inspect(events, { depth: 12 })).toContain(CANARIES.payload);
  });
});

onStores('secrets of an encrypted job', flows);
