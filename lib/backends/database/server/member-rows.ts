import type { MemberRecord } from '../../../contracts/batch-store.js';
import { chunks } from '../../../support/chunks.js';
import { memberRecord } from '../batch-ledger.js';
import type { Tables } from '../table-names.js';
import type { Flavour } from './flavour.js';
import type { Cell, Link, Statement } from './link.js';
import { LIST, rowsOf, SizedStatement, whole } from './sized-statement.js';
import { idKey, idOf } from '../../stored-text.js';

/**
 * The statements on the members of batches, whose row is locked where they write. A member that has succeeded has an end and no state: on
 * Postgres no index hears of it then, and its row is changed where it stands.
 */
export class MemberRows {
  readonly #add: SizedStatement;
  readonly #state: Statement;
  readonly #skip: SizedStatement;
  readonly #end: Statement;
  readonly #done: SizedStatement;
  readonly #failed: Statement;
  readonly #delete: SizedStatement;

  readonly #page: string;

  constructor(
    { quoted: t }: Tables,
    private readonly flavour: Flavour,
  ) {
    this.#page = `SELECT job_id, id_name, state, ended_at FROM ${t.members} WHERE batch = ?`;
    const insert = `INSERT INTO ${t.members} (batch, job_id, id_name) VALUES`;
    this.#add = new SizedStatement(flavour, (length) =>
      flavour.insertIgnoring(`${insert} ${rowsOf('(?, ?, ?)', length)}`, 'batch, job_id'),
    );
    this.#state = flavour.statement(`SELECT state, ended_at FROM ${t.members} WHERE batch = ? AND job_id = ?`);
    this.#skip = new SizedStatement(
      flavour,
      (length) =>
        `UPDATE ${t.members} SET state = 'skipped', ended_at = ? WHERE batch = ? AND job_id IN ${flavour.list(length)} AND ended_at IS NULL`,
    );
    this.#end = flavour.statement(`UPDATE ${t.members} SET state = ?, ended_at = ? WHERE batch = ? AND job_id = ?`);
    this.#done = new SizedStatement(
      flavour,
      (length) =>
        // Without statistics Postgres looks at every member of the batch for a list; the range keeps that to the neighbours.
        `UPDATE ${t.members} SET ended_at = ${flavour.now} WHERE batch = ? AND job_id >= ? AND job_id <= ? AND job_id IN ${flavour.list(length)} AND ended_at IS NULL`,
    );
    this.#failed = flavour.statement(
      `SELECT job_id, id_name FROM ${t.members} WHERE batch = ? AND state = 'failed' ORDER BY ended_at, job_id`,
    );
    this.#delete = new SizedStatement(
      flavour,
      (length) => `DELETE FROM ${t.members} WHERE batch IN ${flavour.list(length)}`,
    );
  }

  /** How many of them are new. */
  async add(link: Link, batch: number, jobIds: readonly string[]): Promise<number> {
    let added = 0;
    for (const some of chunks(jobIds, LIST)) {
      const rows = some.map((id) => {
        const { key, name } = idKey(id);
        return [batch, key, name] as const;
      });
      const { statement, padded } = this.#add.of(rows);
      added += (await link.query(statement, padded.flat())).changes;
    }
    return added;
  }

  /** `undefined` when there is no such member; its state is so until it has ended. */
  async state(link: Link, batch: number, jobId: string): Promise<{ readonly state: string | undefined } | undefined> {
    const [found] = (await link.query<[string | null, Cell]>(this.#state, [batch, idKey(jobId).key])).rows;
    return found && { state: stateOf(...found) ?? undefined };
  }

  /** How many of them had not ended. */
  async skip(link: Link, batch: number, jobIds: readonly string[], now: number): Promise<number> {
    let skipped = 0;
    for (const some of chunks(jobIds, LIST)) {
      const { statement, padded } = this.#skip.of(some.map((id) => idKey(id).key));
      skipped += (await link.query(statement, [now, batch, ...padded])).changes;
    }
    return skipped;
  }

  async end(link: Link, batch: number, jobId: string, state: string, now: number): Promise<void> {
    await link.query(this.#end, [state === 'done' ? null : state, now, batch, idKey(jobId).key]);
  }

  /** How many of them had not ended, and have succeeded now. */
  async done(link: Link, batch: number, jobIds: readonly string[]): Promise<number> {
    let done = 0;
    for (const some of chunks(jobIds.map((id) => idKey(id).key).sort(), LIST)) {
      const { statement, padded } = this.#done.of(some);
      done += (await link.query(statement, [batch, some[0]!, some.at(-1)!, ...padded])).changes;
    }
    return done;
  }

  async failed(link: Link, batch: number): Promise<readonly string[]> {
    return (await link.query(this.#failed, [batch])).rows.map(([id, name]) => idOf(id, name));
  }

  /** By id. */
  async page(link: Link, batch: number, limit: number, after: string | undefined): Promise<MemberRecord[]> {
    const further = after === undefined ? '' : 'AND job_id > ?';
    const look = this.flavour.statement(`${this.#page} ${further} ORDER BY job_id LIMIT ${whole(limit)}`);
    const from = after === undefined ? [] : [idKey(after).key];
    const { rows } = await link.query(look, [batch, ...from]);
    return rows.map(([id, name, state, endedAt]) =>
      memberRecord(idOf(id, name), stateOf(state as string | null, endedAt!), endedAt!),
    );
  }

  async delete(link: Link, batches: readonly number[]): Promise<void> {
    const { statement, padded } = this.#delete.of(batches);
    await link.query(statement, padded);
  }
}

function stateOf(state: string | null, endedAt: Cell): string | null {
  return state ?? (endedAt === null ? null : 'done');
}
