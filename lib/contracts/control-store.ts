/** Marks that workers look at between jobs: pauses and the restart mark. */
export interface ControlStore {
  /** `'all'` pauses every queue, and leaves single pauses as they are. Without `ttlMs` until it is resumed. */
  pause(target: PauseTarget, ttlMs?: number): Promise<void>;
  /** `'all'` takes back only a pause of `'all'`. */
  resume(target: PauseTarget): Promise<void>;
  /** Leaves a mark; a worker that sees another mark than at its start ends. The mark is opaque: no clocks are compared. */
  restart(mark: string): Promise<void>;
  /** Everything a worker needs, in one trip. */
  read(connection: string, queues: readonly string[]): Promise<ControlMarks>;
}

export type PauseTarget = 'all' | { readonly connection: string; readonly queue: string };

export interface ControlMarks {
  readonly restart?: string;
  readonly allPaused: boolean;
  /** Those of the queues asked for that are paused by themselves. */
  readonly paused: readonly string[];
}
