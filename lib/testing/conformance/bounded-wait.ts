import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Harness } from './conformance-case.js';

/** The answer of something that must come without time passing for the store. Fails after two real seconds. */
export async function promptly<T>(answer: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(2_000, undefined, { signal: timer.signal }).then(
    () => assert.fail(`${what} did not happen within two seconds`),
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer.abort();
  }
}

/** The answer of something that must come before `withinMs` have passed for the store. */
export async function eventually<T>(answer: Promise<T>, harness: Harness, withinMs: number, what: string): Promise<T> {
  let settled = false;
  const done = answer.finally(() => (settled = true));
  done.catch(() => {});
  const stepMs = 25;
  for (let passed = 0; !settled && passed < withinMs; passed += stepMs) {
    await harness.advance(stepMs);
    // A held clock moves at once, while files and sockets need real time to report.
    await sleep(2);
  }
  assert.ok(settled, `${what} did not happen within ${withinMs} ms`);
  return done;
}

/** Lets what was just started reach its wait. */
export function settle(): Promise<void> {
  return sleep(20);
}
