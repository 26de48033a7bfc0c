import type { QueueSize } from '../../../contracts/queue-driver.js';
import { chunks } from '../../../support/chunks.js';
import type { Link } from '../server/link.js';
import { LIST, SizedStatement } from '../server/sized-statement.js';
import { storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { listOf, mysqlFlavour, NOW } from './mysql-flavour.js';
import { CLAIM_INDEX } from './schema.js';

type Counted = [queue: string, pending: number, delayed: number, reserved: number, oldest: number | null];

/** Counts jobs from the claim index alone. */
export class SizeRows {
  readonly #count: SizedStatement;

  constructor({ quoted: t }: Tables) {
    const due = `leased_until = 0 AND available_at <= ${NOW}`;
    this.#count = new SizedStatement(
      mysqlFlavour,
      (length) =>
        `SELECT queue, COUNT(CASE WHEN ${due} THEN 1 END), COUNT(CASE WHEN leased_until = 0 AND available_at > ${NOW} THEN 1 END),
          COUNT(CASE WHEN leased_until > 0 THEN 1 END), MIN(CASE WHEN ${due} THEN available_at END)
          FROM ${t.jobs} FORCE INDEX (${CLAIM_INDEX}) WHERE queue IN ${listOf(length)} GROUP BY queue`,
    );
  }

  async size(link: Link, queues: readonly string[]): Promise<readonly QueueSize[]> {
    const names = queues.map(storable);
    const counted = new Map<string, Counted>();
    for (const some of chunks([...new Set(names)], LIST)) {
      const { statement, padded } = this.#count.of(some);
      for (const row of (await link.query<Counted>(statement, padded)).rows) counted.set(row[0], row);
    }
    return names.map((name) => {
      const [, pending, delayed, reserved, oldest] = counted.get(name) ?? [name, 0, 0, 0, null];
      return {
        pending: Number(pending),
        delayed: Number(delayed),
        reserved: Number(reserved),
        ...(oldest === null ? {} : { oldestPendingAt: Number(oldest) }),
      };
    });
  }
}
