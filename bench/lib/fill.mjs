import { FIRST_NUMBER, payload } from './payload.mjs';

const CHUNK = 10_000;

/** Queues `jobs` jobs by the peer's bulk call, ten thousand at a time. */
export async function fill(queue, jobs, bytes) {
  for (let from = 0; from < jobs; from += CHUNK) {
    const length = Math.min(CHUNK, jobs - from);
    await queue.bulk(Array.from({ length }, (_, i) => payload(FIRST_NUMBER + from + i, bytes)));
  }
}

/** How many jobs wait for the workers of a cell: enough that the fastest does not run out at once. */
export function backlogFor(family, { quick }) {
  if (family === 'memory') return quick ? 20_000 : 200_000;
  if (family === 'redis') return quick ? 20_000 : 80_000;
  return quick ? 20_000 : 60_000;
}
