import { COUNTED } from '../batch-columns.js';
import type { Tables } from '../table-names.js';
import { NOW } from './postgres-flavour.js';

/** What is told of a batch: the columns that `batchRowOf` reads, then `id, id_name, name, options`, then `started` and `finished`. */
const CHANGED = ['ended', 'pending', 'finished_at', 'then_due', 'finally_due'];

/**
 * The CTEs that count members of one batch behind `acked`, which is as `settleParts` makes it, and as `countDone` does elsewhere: the
 * batch's row is locked, members without an end are done, the batch is saved. `$batch` is its key.
 *
 * A member is found by its place (`ctid`), each by one look into the index: joined to the list the planner might read all of the batch.
 */
export function memberParts(t: Tables['quoted'], batch: string): string {
  const due = (stamp: string, when: string, at = NOW): string =>
    `CASE WHEN ${when} THEN coalesce(c.${stamp}, ${at}) ELSE c.${stamp} END`;
  const succeeded = 'c.over AND c.pending = c.n AND c.cancelled_at IS NULL';
  const first = 'c.over AND c.finished_at IS NULL';
  const columns = [...COUNTED.split(', '), 'id', 'id_name', 'name', 'options'];
  const told = columns.map((column) => `${CHANGED.includes(column) ? 'b' : 'c'}.${column}`).join(', ');
  return `batch AS (SELECT ${columns.join(', ')}, unconfirmed_since FROM ${t.batches} WHERE id = ${batch}::uuid FOR UPDATE),
  ended AS (UPDATE ${t.members} m SET ended_at = ${NOW}
    WHERE m.ctid = ANY (ARRAY(SELECT (SELECT x.ctid FROM ${t.members} x WHERE x.batch = (SELECT seq FROM batch) AND x.job_id = a.id) FROM acked a))
      AND m.ended_at IS NULL
    RETURNING 1),
  change AS (SELECT o.*, e.n, o.sealed = 1 AND e.n > 0 AND o.ended + e.n >= o.total AS over
    FROM batch o, (SELECT count(*)::int AS n FROM ended) e),
  saved AS (UPDATE ${t.batches} b SET ended = c.ended + c.n, pending = c.pending - c.n,
      finished_at = ${due('finished_at', 'c.over', `greatest(${NOW}, c.cancelled_at)`)},
      then_due = ${due('then_due', succeeded)},
      finally_due = ${due('finally_due', first)},
      unconfirmed_since = CASE WHEN (${succeeded} AND c.then_due IS NULL) OR (${first} AND c.finally_due IS NULL)
        THEN least(c.unconfirmed_since, ${NOW}) ELSE c.unconfirmed_since END
    FROM change c WHERE b.seq = c.seq AND c.n > 0
    RETURNING CASE WHEN c.ended = 0 OR b.unconfirmed_since IS NOT NULL
      THEN json_build_array(${told}, c.ended = 0, ${first})::text END AS told)`;
}

/** What is to be told of the batch. NULL where nobody waits for it. */
export const MEMBERS_TOLD = '(SELECT told FROM saved)';

/**
 * 1; and an error, which undoes the statement, where one of the jobs had ended before or is no member: such are told apart one by one,
 * elsewhere. None of a batch that there is not any more is one, and there is nothing to tell apart.
 */
export const ALL_COUNTED =
  '(1 / CASE WHEN EXISTS (SELECT FROM batch) AND (SELECT count(*) FROM ended) < (SELECT count(*) FROM acked) THEN 0 ELSE 1 END)';
