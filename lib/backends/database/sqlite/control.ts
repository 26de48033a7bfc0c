import type { ControlMarks, ControlStore, PauseTarget } from '../../../contracts/control-store.js';
import type { Clock } from '../../../support/clock.js';
import { markOf, marksFor, restartMarkOf } from '../control-marks.js';
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
    this.#find = `SELECT mark, value FROM ${t.control} WHERE (expires_at IS NULL OR expires_at > ?)`;
  }

  async pause(target: PauseTarget, ttlMs?: number): Promise<void> {
    await this.#leave(markOf(target), '', ttlMs);
  }

  async resume(target: PauseTarget): Promise<void> {
    await this.file.write((session) => session.run(this.#drop, [markOf(target)]), this.patience);
  }

  async restart(mark: string, target: PauseTarget = 'all'): Promise<void> {
    await this.#leave(restartMarkOf(target), mark);
  }

  read(connection: string, queues: readonly string[]): Promise<ControlMarks> {
    return this.file.read((session) => {
      const { all, answer } = marksFor(connection, queues);
      const found = `${this.#find} AND mark IN (${all.map(() => '?').join(', ')})`;
      return answer(new Map(session.all<[string, string]>(found, [this.clock.now(), ...all])));
    }, this.patience);
  }

  #leave(mark: string, value: string, ttlMs = Infinity): Promise<number> {
    return this.file.write((session) => {
      const expiresAt = ttlMs === Infinity ? null : this.clock.now() + ttlMs;
      return session.run(this.#put, [mark, value, expiresAt]);
    }, this.patience);
  }
}
