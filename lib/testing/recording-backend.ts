import { MemoryDriver } from '../backends/memory/memory-driver.js';
import { MemoryStore } from '../backends/memory/memory-store.js';
import type { StagedStore } from '../connections/connection-stage.js';
import type { Backend } from '../contracts/backend.js';
import type { EffectKind, PushEntry } from '../contracts/queue-driver.js';
import { recordingDriver } from './recording-driver.js';
import { RecordingLocks } from './recording-locks.js';

export interface RecordingChoices {
  /** Some jobs are not faked: they go to the real store. */
  readonly partly: boolean;
  readonly isFaked: (entry: PushEntry) => boolean;
  readonly isFakedLock: (key: string) => boolean;
  readonly recorded: (entry: PushEntry) => void;
  /** These were kept in an open transaction of this manager. */
  readonly within: (manager: unknown, entries: readonly PushEntry[]) => void;
}

/** What is kept of one connection. */
export interface RecordingStore {
  readonly backend: Backend;
  readonly memory: MemoryStore;
}

const UNLOCK: ReadonlySet<EffectKind> = new Set(['unlock']);

/**
 * A backend that keeps jobs in memory, with whatever the real one can keep besides. The real one is made, so that what it would refuse is
 * refused, and left alone unless some jobs are for it; a driver of the application's own is not even made then.
 */
export async function recordingBackend(place: StagedStore, choices: RecordingChoices): Promise<RecordingStore> {
  const { partly, isFaked, isFakedLock, recorded, within } = choices;
  const { clock } = place.context;
  const real = partly || place.builtIn ? await place.make() : undefined;
  const memory = new MemoryStore(clock);
  const kept = new MemoryDriver(memory, place.connection);
  const queue =
    real && !real.queue
      ? undefined
      : recordingDriver({ kept, real: real?.queue, passesOn: partly, isFaked, recorded, within, clock });
  const close = async (): Promise<void> => {
    kept.close();
    await real?.close();
  };
  const backend: Backend = { ...(queue && { queue }), close };
  const { locks, limits, failed, batches, control } = memory;
  // What a driver of the application's own keeps besides is not known: it is taken for all.
  if (!real) return { backend: { ...backend, locks, limits, failed, batches, control }, memory };
  if (partly) {
    const whole = { ...backend, ...beside(real, memory, isFakedLock) };
    // It may be known only once the store has been reached.
    return { backend: Object.defineProperty(whole, 'watch', { get: () => real.watch }), memory };
  }
  return {
    backend: {
      ...backend,
      ...(real.locks && { locks }),
      ...(real.limits && { limits }),
      ...(real.failed && { failed }),
      ...(real.batches && { batches }),
      ...(real.control && { control }),
      ...(real.atomic && { atomic: real.atomic }),
    },
    memory,
  };
}

/**
 * Real jobs keep their real locks, limits and failures. What follows one is sent by the worker and not by its store, since it may be
 * faked; and batches, whose members may be of both kinds, are counted here.
 */
function beside(real: Backend, memory: MemoryStore, isFakedLock: (key: string) => boolean): Partial<Backend> {
  const { locks, limits, failed, batches, control, atomic, schema } = real;
  return {
    ...(locks && { locks: new RecordingLocks(memory.locks, locks, isFakedLock) }),
    ...(limits && { limits }),
    ...(failed && { failed }),
    ...(batches && { batches: memory.batches }),
    ...(control && { control }),
    ...(schema && { schema }),
    ...(atomic?.has('unlock') && { atomic: UNLOCK }),
    ...(real.check && { check: () => real.check!() }),
  };
}
