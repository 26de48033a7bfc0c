import type { QueueSize } from '../../../contracts/queue-driver.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Statement } from '../server/link.js';
import { storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { textArray } from './parameters.js';
import { NOW } from './postgres-flavour.js';

type Found = [ord: number, free: number, pending: number, oldest: number | null, now: number, reserved: number];

/** Counts from the indexes of free and of leased rows. */
export class SizeStatements {
  readonly #size: Statement;

  constructor({ quoted: t }: Tables) {
    this.#size = statementOf(`SELECT q.ord, f.free, f.pending, f.oldest, ${NOW} AS now, l.reserved
      FROM unnest($1::text[]) WITH ORDINALITY AS q(queue, ord)
      CROSS JOIN LATERAL (SELECT count(*) AS free, count(*) FILTER (WHERE j.available_at <= ${NOW}) AS pending, min(j.available_at) AS oldest
        FROM ${t.jobs} j WHERE j.queue = q.queue AND j.leased_until IS NULL) f
      CROSS JOIN LATERAL (SELECT count(*) AS reserved FROM ${t.jobs} j WHERE j.queue = q.queue AND j.leased_until IS NOT NULL) l
      ORDER BY q.ord`);
  }

  async size(link: Link, queues: readonly string[]): Promise<readonly QueueSize[]> {
    if (queues.length === 0) return [];
    const { rows } = await link.query<Found>(this.#size, [textArray(queues.map(storable))]);
    return rows.map((row) => {
      const [, free, pending, oldest, now, reserved] = row;
      return {
        pending,
        delayed: free - pending,
        reserved,
        ...(oldest !== null && oldest <= now ? { oldestPendingAt: oldest } : {}),
      };
    });
  }
}
