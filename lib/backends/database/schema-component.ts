import type { SchemaPart } from '../../contracts/backend.js';
import type { TableNames } from './table-names.js';

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
};

/** Every table of a component, the one that names it first. */
export function tablesIn(kind: SchemaPart, names: TableNames): readonly string[] {
  return PARTS[kind].map((key) => names[key]);
}
