import { FIRST_NUMBER } from './payload.mjs';
import { now, sleep } from './clock.mjs';

/** Which jobs a worker ran, and when. */
export class Handled {
  #numbers;
  #times;
  count = 0;

  constructor(capacity) {
    this.#numbers = new Uint32Array(capacity);
    this.#times = new Float64Array(capacity);
  }

  add(number) {
    if (this.count < this.#numbers.length) {
      this.#numbers[this.count] = number;
      this.#times[this.count] = now();
    }
    this.count += 1;
  }

  /** Plain arrays, to be sent to another process. */
  log() {
    const kept = Math.min(this.count, this.#numbers.length);
    return { numbers: [...this.#numbers.subarray(0, kept)], times: [...this.#times.subarray(0, kept)] };
  }
}

/**
 * What the logs of all workers say together. The first tenth warms up and is not in the rate.
 *
 * @returns rate in jobs a second; `dup`, runs beyond the first of their job; `lost`, jobs neither run nor still in the store; `unacked`,
 * jobs that were run and are still in the store after the worker has ended
 */
export async function tally(logs, { filled, queue }) {
  const runs = new Set();
  const times = [];
  for (const { numbers, times: at } of logs) {
    for (const number of numbers) runs.add(number);
    for (const time of at) times.push(time);
  }
  times.sort((a, b) => a - b);
  const warm = Math.floor(times.length / 10);
  const span = times.at(-1) - times[warm];
  const known = [...runs].filter((n) => n >= FIRST_NUMBER && n < FIRST_NUMBER + filled).length;
  const missing = await settled(queue, filled - known);
  return {
    rate: ((times.length - 1 - warm) / span) * 1_000,
    jobs: times.length,
    checks: { dup: times.length - runs.size, lost: Math.max(0, missing), unacked: Math.max(0, -missing) },
  };
}

/** Some workers end a moment before their last acknowledgements are through. @returns how many fewer jobs are left than there should be */
async function settled(queue, shouldBeLeft) {
  const end = now() + 2_000;
  for (;;) {
    const missing = shouldBeLeft - (await queue.pending());
    if (missing >= 0 || now() > end) return missing;
    await sleep(50);
  }
}
