import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Site } from './site.js';

interface Gauges {
  readonly rss: number;
  readonly heap: number;
  readonly cpuMs: number;
  readonly listeners: Record<string, number>;
  readonly resources: number;
}

const MB = 1_048_576;

let site: Site;
beforeEach(async () => {
  site = await Site.open();
}, 60_000);
afterEach(() => site.close());

it('20,000 jobs through one worker: memory, listeners and handles stay as they are after the warm-up', async () => {
  const producer = await site.producer();
  const worker = site.start('worker', 'worker', ['-q', '--concurrency=10'], { node: ['--expose-gc'] });
  await site.working('worker', worker);
  const gauges: Gauges[] = [];
  for (let round = 0; round < 5; round++) {
    await producer.order({ kind: 'flood', job: ['Noop'], single: 0, bulks: 10, size: 500 });
    await site.until('an empty queue', async () => (await site.left()).jobs === 0);
    const [id] = await producer.dispatch(['Gauge']);
    await site.seen('processed', id!);
    gauges.push(site.lines('gauge', id)[0]!.info as Gauges);
  }
  // The first 5,000 warm up: compiled code, caches, the allocator's arenas.
  const [warm] = gauges;
  const last = gauges.at(-1)!;
  expect((last.rss - warm!.rss) / MB).toBeLessThan(10);
  expect((last.heap - warm!.heap) / MB).toBeLessThan(2);
  expect(last.listeners).toEqual(warm!.listeners);
  expect(Math.abs(last.resources - warm!.resources)).toBeLessThanOrEqual(2);
  expect(worker.err).toBe('');
}, 120_000);

it('an idle worker uses less than 2 % of a CPU', async () => {
  const producer = await site.producer();
  await site.worker('worker');
  const gauge = async (): Promise<{ at: number; cpuMs: number }> => {
    const [id] = await producer.dispatch(['Gauge']);
    const line = await site.seen('gauge', id!);
    return { at: line.at, cpuMs: (line.info as Gauges).cpuMs };
  };
  await gauge();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = await gauge();
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const after = await gauge();
  expect((after.cpuMs - before.cpuMs) / (after.at - before.at)).toBeLessThan(0.02);
}, 60_000);
