import { fromBeginning } from './claim-mark.js';
import { NOW } from './postgres-flavour.js';

/** Rows that are due and yet were not to be had are in another worker's hands: they are looked at again after so long. */
const AGAIN_MS = 20;

const TAKEN = 'n, seq, id, id_name, queue, priority, attempts, stalls, memo, body';

/**
 * The CTEs of a claim: `$1` queues, `$2` limit, `$3` lease in ms, `$4` the claim's bits, `$5` and `$6` the mark: the priority and time of
 * the row in the first queue to start from, or a priority above all for none.
 *
 * `level` goes through the queues in order, and in each through the priorities in use, from the highest down; it finds the first free row
 * of each by one descent of the claim index. It is read as far as it is needed: usually one step. `free` reads each level from that row
 * on, and so walks over what was taken since the last vacuum once, and over what is delayed never. Rows whose lease ran out are taken
 * by the claim itself, where it has no mark: with the new token the old holder's is worth nothing.
 *
 * @param settled a parameter with the ids that the same statement settles: an ack wins over the end of its own lease
 */
export function claimParts(jobs: string, settled?: string): string {
  const head = (queue: string, which: string): string =>
    `SELECT j.priority, j.available_at FROM ${jobs} j WHERE j.queue = ${queue} AND j.leased_until IS NULL AND ${which}
      ORDER BY j.priority DESC, j.available_at, j.seq LIMIT 1`;
  const first = [
    'j.priority > $5::bigint',
    'j.priority = $5::bigint AND j.available_at >= $6::bigint',
    'j.priority < $5::bigint',
  ]
    .map((which) => `(${head('($1::text[])[1]', which)})`)
    .join(' UNION ALL ');
  return `level(ord, queue, priority, at) AS (
    SELECT 1, ($1::text[])[1], h.priority, h.available_at FROM (SELECT 1) one LEFT JOIN LATERAL (${first} LIMIT 1) h ON true
    UNION ALL
    SELECT s.ord, s.queue, h.priority, h.available_at
    FROM level l
    CROSS JOIN LATERAL (SELECT CASE WHEN l.priority IS NULL THEN l.ord + 1 ELSE l.ord END AS ord,
      CASE WHEN l.priority IS NULL THEN ($1::text[])[l.ord + 1] ELSE l.queue END AS queue,
      coalesce(l.priority::bigint, 9223372036854775807) AS below) s
    LEFT JOIN LATERAL (${head('s.queue', 'j.priority < s.below')}) h ON true
    WHERE l.priority IS NOT NULL OR l.ord < cardinality($1::text[])),
  free AS (
    SELECT l.ord, f.* FROM level l CROSS JOIN LATERAL (
      SELECT j.ctid AS tid, j.priority, j.available_at, j.seq FROM ${jobs} j
      WHERE j.queue = l.queue AND j.leased_until IS NULL AND j.priority = l.priority AND j.available_at >= l.at AND j.available_at <= ${NOW}
      ORDER BY j.available_at, j.seq LIMIT $2::bigint FOR UPDATE SKIP LOCKED) f
    LIMIT $2::bigint),
  expired AS (
    SELECT q.ord, f.* FROM unnest($1::text[]) WITH ORDINALITY AS q(queue, ord) CROSS JOIN LATERAL (
      SELECT j.ctid AS tid, j.priority, j.available_at, j.seq FROM ${jobs} j
      WHERE j.queue = q.queue AND j.leased_until IS NOT NULL AND j.leased_until <= ${NOW}${settled ? ` AND j.id <> ALL (${settled})` : ''}
      ORDER BY j.leased_until LIMIT $2::bigint FOR UPDATE SKIP LOCKED) f
    WHERE $5::bigint = ${fromBeginning[0]}),
  due AS (
    SELECT tid, row_number() OVER (ORDER BY ord, priority DESC, available_at, seq) AS n
    FROM (SELECT * FROM free UNION ALL SELECT * FROM expired) candidate
    ORDER BY ord, priority DESC, available_at, seq LIMIT $2::bigint),
  taken AS (
    UPDATE ${jobs} j SET leased_until = ${NOW} + $3::bigint, token = $4::text || '.' || j.seq, attempts = coalesce(j.attempts, 0) + 1,
      stalls = CASE WHEN j.leased_until IS NULL THEN j.stalls ELSE coalesce(j.stalls, 0) + 1 END
    FROM due WHERE j.ctid = due.tid
    RETURNING due.n, j.seq, j.id, j.id_name, j.queue, j.priority, j.attempts, j.stalls, j.memo, j.body)`;
}

/**
 * One row in front, then what was taken.
 *
 * @param settled the columns `id_name`, `queue` and `priority`: the list and the count of what was settled
 */
export function claimAnswer(jobs: string, settled: string): string {
  return `SELECT 0::bigint AS n, ${NOW} + $3::bigint AS seq, NULL::uuid AS id, ${settled},
      (SELECT l.priority FROM level l LIMIT 1) AS attempts, NULL::int AS stalls,
      CASE WHEN NOT EXISTS (SELECT FROM taken) THEN (SELECT min(CASE WHEN next.at > ${NOW} THEN next.at ELSE ${NOW} + ${AGAIN_MS} END) - ${NOW} FROM (
        SELECT l.at FROM level l UNION ALL
        SELECT (SELECT j.leased_until FROM ${jobs} j WHERE j.queue = q.queue AND j.leased_until IS NOT NULL ORDER BY j.leased_until LIMIT 1)
        FROM unnest($1::text[]) AS q(queue)) next WHERE next.at IS NOT NULL)::text END AS memo,
      (SELECT l.at FROM level l LIMIT 1)::text AS body
    UNION ALL SELECT ${TAKEN} FROM taken`;
}

/**
 * The CTEs of a claim that goes on in the middle of one priority of one queue, as nearly all do under load: `$1` the queue, `$2` limit,
 * `$3` lease in ms, `$4` the claim's bits, `$5`, `$6` and `$7` priority, time and number of the row to start from. It costs the server
 * 60 to 100 µs less than a claim that looks everywhere. Where a job of a higher priority waits it takes nothing.
 */
export function nearParts(jobs: string): string {
  const higher = `SELECT FROM ${jobs} h WHERE h.queue = $1::text AND h.leased_until IS NULL AND h.priority > $5::int`;
  return `free AS (SELECT f.tid, f.available_at, row_number() OVER () AS n FROM (
      SELECT j.ctid AS tid, j.available_at FROM ${jobs} j
      WHERE j.queue = $1::text AND j.leased_until IS NULL AND j.priority = $5::int
        AND (j.available_at, j.seq) >= ($6::bigint, $7::bigint) AND j.available_at <= ${NOW}
      ORDER BY j.available_at, j.seq LIMIT CASE WHEN EXISTS (${higher}) THEN 0 ELSE $2::bigint END FOR UPDATE SKIP LOCKED) f),
  taken AS (
    UPDATE ${jobs} j SET leased_until = ${NOW} + $3::bigint, token = $4::text || '.' || j.seq, attempts = coalesce(j.attempts, 0) + 1
    FROM free WHERE j.ctid = free.tid
    RETURNING free.n, j.seq, j.id, j.id_name, j.queue, j.priority, j.attempts, j.stalls, j.memo, j.body, j.available_at)`;
}

/** As `claimAnswer`, with the time of each job behind it. */
export function nearAnswer(settled: string): string {
  return `SELECT 0::bigint AS n, ${NOW} + $3::bigint AS seq, NULL::uuid AS id, ${settled},
      NULL::int AS attempts, NULL::int AS stalls, NULL AS memo, NULL AS body, 0::bigint AS available_at
    UNION ALL SELECT ${TAKEN}, available_at FROM taken`;
}
