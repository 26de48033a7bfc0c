import type { ControlMarks, ControlStore, PauseTarget } from '../../../contracts/control-store.js';
import type { Clock } from '../../../support/clock.js';
import { markOf, PAUSED_ALL, RESTART } from '../control-marks.js';
import type { Tables } from '../table-names.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

export class SqliteControl implements ControlStore {
  readonly #put: string;
  readonly #drop: string;
  readonly #find: string;

  constructor(
    private readonly file: SqliteFile,
    { quoted: t }: Tables,
    private readonly clock: Clock,
    private readonly patience: Patience,
  ) {
    this.#put = `INSERT INTO ${t.control} (mark, value, expires_at) VALUES (?, ?, ?)
      ON CONFLICT (mark) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`;
    this.#drop = `DELETE FROM ${t.control} WHERE mark = ?`;
    this.#find = `SELECT value FROM ${t.control} WHERE mark = ? AND (expires_at IS NULL OR expires_at > ?)`;
  }

  async pause(target: PauseTarget, ttlMs?: number): Promise<void> {
    await this.#leave(markOf(target), '', ttlMs);
  }

  async resume(target: PauseTarget): Promise<void> {
    await this.file.write((session) => session.run(this.#drop, [markOf(target)]), this.patience);
  }

  async restart(mark: string): Promise<void> {
    await this.#leave(RESTART, mark);
  }

  read(connection: string, queues: readonly string[]): Promise<ControlMarks> {
    return this.file.read((session) => {
      const now = this.clock.now();
      const valueOf = (mark: string): string | undefined => session.first<[string]>(this.#find, [mark, now])?.[0];
      const restart = valueOf(RESTART);
      return {
        ...(restart === undefined ? {} : { restart }),
        allPaused: valueOf(PAUSED_ALL) !== undefined,
        paused: queues.filter((queue) => valueOf(markOf({ connection, queue })) !== undefined),
      };
    }, this.patience);
  }

  #leave(mark: string, value: string, ttlMs = Infinity): Promise<number> {
    return this.file.write((session) => {
      const expiresAt = ttlMs === Infinity ? null : this.clock.now() + ttlMs;
      return session.run(this.#put, [mark, value, expiresAt]);
    }, this.patience);
  }
}
