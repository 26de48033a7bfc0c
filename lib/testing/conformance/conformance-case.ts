import assert from 'node:assert/strict';
import type { Backend } from '../../contracts/backend.js';

/** What a backend's author supplies so that the cases can run on it. */
export interface Harness {
  /** A backend over an empty store. Called once at the start of every case. */
  open(): Promise<Backend>;
  /** Another handle on the same store, as another process would have it. Absent where a store cannot be shared. */
  reopen?(): Promise<Backend>;
  /** Lets so many milliseconds pass for the store: a fake clock is moved, a real one is waited for. */
  advance(ms: number): Promise<void>;
  /** Epoch ms by the store's clock, to within a second. */
  now(): number;
  /**
   * Keeps every other writer out of the store, as a long write of another process would, until the answer is called. Absent where a
   * writer cannot keep others out.
   */
  holdWrites?(): Promise<() => Promise<void>>;
  /** Closes what `open` and `reopen` made and removes the store. Called once at the end of every case. */
  close(): Promise<void>;
}

/** Why a case does not apply to a backend; `undefined` when it does. */
export type Requirement = (backend: Backend, harness: Harness) => string | undefined;

/** One requirement as data: run it under any test runner, or none. */
export interface ConformanceCase {
  readonly name: string;
  /** What the case needs that a backend may lack; the answer is the reason for the skip. */
  readonly needs?: Requirement;
  /** Rejects with what does not hold. */
  readonly run: (backend: Backend, harness: Harness) => Promise<void>;
}

/** The first reason among several requirements. */
export function all(requirements: readonly Requirement[]): Requirement {
  return (backend, harness) => {
    for (const one of requirements) {
      const reason = one(backend, harness);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
}

/** A second handle on the same store. */
export const sharing: Requirement = (_, harness) =>
  harness.reopen ? undefined : 'the store cannot be opened a second time';

/** Another handle on the same store, for cases that need `sharing`. */
export async function reopened(harness: Harness): Promise<Backend> {
  if (!harness.reopen) assert.fail('the store cannot be opened a second time');
  return harness.reopen();
}

/** Opens, runs and closes one case. Resolves with the reason when it does not apply. */
export async function runCase(one: ConformanceCase, harness: Harness): Promise<{ readonly skipped?: string }> {
  try {
    const backend = await harness.open();
    const reason = one.needs?.(backend, harness);
    if (reason !== undefined) return { skipped: reason };
    await one.run(backend, harness);
    return {};
  } finally {
    await harness.close();
  }
}
