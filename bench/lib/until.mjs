import { now, sleep } from './clock.mjs';

/** Waits until it holds, at most so long. What is missing then is for the caller's checks to say. */
export async function until(holds, ms) {
  const end = now() + ms;
  while (!holds() && now() < end) await sleep(20);
}
