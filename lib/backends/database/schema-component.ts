import type { SchemaPart } from '../../contracts/backend.js';
import type { TableNames, Tables } from './table-names.js';

/** Tables that have a version together, by the one that names them, and the statements that lead from each version to the next. */
export interface Component {
  readonly kind: SchemaPart;
  /** Its bare name. */
  readonly table: string;
  /** Where a server commits each DDL statement by itself, those of the second version on must bear being repeated. */
  readonly versions: readonly (readonly string[])[];
  /** Undoes all of it. */
  readonly drop: readonly string[];
}

const PARTS: Readonly<Record<SchemaPart, readonly (keyof TableNames)[]>> = {
  jobs: ['jobs', 'once', 'cancelled', 'effects', 'locks', 'limits', 'control'],
  failed: ['failed'],
  batches: ['batches', 'members'],
  outbox: ['jobs', 'cancelled', 'locks'],
};

/** Tables of a queue that a relay has no use for. */
const NOT_OF_AN_OUTBOX = ['once', 'effects', 'limits', 'control'] as const;

/** Every table of a component, the one that names it first. */
export function tablesIn(kind: SchemaPart, names: TableNames): readonly string[] {
  return PARTS[kind].map((key) => names[key]);
}

/** An outbox is a queue's table with what a relay needs beside it: the jobs that are on their way, and who relays them. */
export function outboxOf(jobs: Component, { quoted }: Tables): Component {
  const kept = (statement: string): boolean => !NOT_OF_AN_OUTBOX.some((key) => statement.includes(quoted[key]));
  return {
    ...jobs,
    kind: 'outbox',
    versions: jobs.versions.map((some) => some.filter(kept)),
    drop: jobs.drop.filter(kept),
  };
}
