/** Marks that workers look at between jobs: pauses and the restart mark. */
export interface ControlStore {
  /** `'all'` pauses every queue, and leaves single pauses as they are. Without `ttlMs` until it is resumed. */
  pause(target: PauseTarget, ttlMs?: number): Promise<void>;
  /** `'all'` takes back only a pause of `'all'`. */
  resume(target: PauseTarget): Promise<void>;
  /**
   * Leaves a mark, in place of the one that was left for the same target; default: for all. A worker that sees another mark than at its
   * start ends. The mark is opaque: no clocks are compared.
   */
  restart(mark: string, target?: PauseTarget): Promise<void>;
  /** Everything a worker needs, in one trip. */
  read(connection: string, queues: readonly string[]): Promise<ControlMarks>;
}

/**
 * In the place of a queue's name: every queue of the connection. No queue has this name. Stores keep it as they keep names: whoever reads
 * asks for it beside the queues.
 */
export const EVERY_QUEUE = '*';

export type PauseTarget = 'all' | { readonly connection: string; readonly queue: string };

export interface ControlMarks {
  /** The mark left for all; behind it, one a line, those left for the queues asked for, in their order. Absent where there is none. */
  readonly restart?: string;
  readonly allPaused: boolean;
  /** Those of the queues asked for that are paused by themselves. */
  readonly paused: readonly string[];
}
