import { Handled } from './handled.mjs';
import { now } from './clock.mjs';

const STALLED_MS = 15_000;

/**
 * Works until all jobs are done, the time is up, or nothing has come for a while (another process has had the rest).
 *
 * The decision is taken inside the handler too: a worker that never leaves the microtask queue lets no timer run.
 *
 * @returns the log of what was run, and the CPU time of a job in microseconds, worker and client together
 */
export async function workUntil(queue, { concurrency, seconds, jobs, quietMs = STALLED_MS }) {
  const handled = new Handled(jobs * 2);
  const warm = Math.min(1_000, Math.floor(jobs / 10));
  let done;
  const over = new Promise((resolve) => (done = resolve));
  let endsAt = Infinity;
  let lastAt = now();
  let before;
  let after;
  const onJob = (number) => {
    handled.add(number);
    lastAt = now();
    if (handled.count === 1) endsAt = lastAt + seconds * 1_000;
    if (handled.count === warm) before = { count: warm, cpu: process.cpuUsage() };
    if (handled.count < jobs && lastAt < endsAt) return true;
    after ??= { count: handled.count, cpu: process.cpuUsage() };
    done();
    return false;
  };
  const watch = setInterval(() => {
    const quiet = now() - lastAt;
    if (now() >= endsAt || quiet > (handled.count === 0 ? STALLED_MS : quietMs)) done();
  }, 20);
  const worker = await queue.work({ concurrency, onJob });
  await over;
  clearInterval(watch);
  after ??= { count: handled.count, cpu: process.cpuUsage() };
  await worker.stop();
  return { log: handled.log(), cpuMicros: before === undefined ? undefined : cpuPerJob(before, after) };
}

function cpuPerJob(before, after) {
  const spent = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  return after.count > before.count ? spent / (after.count - before.count) : undefined;
}
