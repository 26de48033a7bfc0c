import type { ControlMarks, ControlStore, PauseTarget } from '../../../contracts/control-store.js';
import { chunks } from '../../../support/chunks.js';
import { markOf, marksFor, restartMarkOf } from '../control-marks.js';
import type { Tables } from '../table-names.js';
import type { Flavour } from './flavour.js';
import type { Statement } from './link.js';
import type { SideStore } from './side-store.js';
import { LIST, SizedStatement } from './sized-statement.js';
import { indexable, readable, storable } from '../../stored-text.js';

export class ServerControl implements ControlStore {
  readonly #put: Statement;
  readonly #drop: Statement;
  readonly #find: SizedStatement;

  constructor(
    private readonly side: SideStore,
    { quoted: t }: Tables,
    flavour: Flavour,
  ) {
    const { now } = flavour;
    this.#put = flavour.statement(
      flavour.upsert(
        `INSERT INTO ${t.control} (mark, value, expires_at) VALUES (?, ?, ${now} + ?)`,
        'mark',
        (given) => `value = ${given('value')}, expires_at = ${given('expires_at')}`,
      ),
    );
    this.#drop = flavour.statement(`DELETE FROM ${t.control} WHERE mark = ?`);
    this.#find = new SizedStatement(
      flavour,
      (length) =>
        `SELECT mark, value FROM ${t.control} WHERE mark IN ${flavour.list(length)} AND (expires_at IS NULL OR expires_at > ${now})`,
    );
  }

  async pause(target: PauseTarget, ttlMs?: number): Promise<void> {
    await this.#leave(markOf(target), '', ttlMs);
  }

  async resume(target: PauseTarget): Promise<void> {
    await this.side.write((link) => link.query(this.#drop, [indexable(markOf(target))]));
  }

  async restart(mark: string, target: PauseTarget = 'all'): Promise<void> {
    await this.#leave(restartMarkOf(target), mark);
  }

  async read(connection: string, queues: readonly string[]): Promise<ControlMarks> {
    const marks = marksFor(connection, queues, indexable);
    const found = await this.side.read(async (link) => {
      const values = new Map<string, string>();
      for (const some of chunks(marks.all, LIST)) {
        const { statement, padded } = this.#find.of(some);
        for (const [mark, value] of (await link.query<[string, string]>(statement, padded)).rows)
          values.set(mark, readable(value));
      }
      return values;
    });
    return marks.answer(found);
  }

  async #leave(mark: string, value: string, ttlMs = Infinity): Promise<void> {
    const lasting = ttlMs === Infinity ? null : Math.ceil(ttlMs);
    await this.side.write((link) => link.query(this.#put, [indexable(mark), storable(value), lasting]));
  }
}
