import { tablesIn, type Component } from './schema-component.js';
import { SchemaError } from './schema-error.js';
import type { TableNames } from './table-names.js';

/** What a database has. */
export interface Found {
  /** What is recorded: the version of each component by its table, 0 while it is being made; and see `SINCE`. */
  readonly recorded: ReadonlyMap<string, number>;
  /** Those of our names that are taken by a table or view. */
  readonly existing: ReadonlySet<string>;
}

/** What is to be done for a component. */
export interface Step {
  readonly component: Component;
  /** The version that is there; 0 is none. */
  readonly from: number;
  /**
   * What was left behind where there is no version: `tables` of an installation that did not come to its end, which no worker or producer
   * has used; or the `record` of tables that somebody dropped.
   */
  readonly left?: 'tables' | 'record';
}

/**
 * Recorded under the table's name with this behind it: the oldest version whose packages can work with the tables as they are. A later
 * version that only adds what older packages need not know leaves it where it was, and they go on.
 */
export const SINCE = ':since';
const INSTALL = 'Run: npx nestjs-queue queue:install';

/** Compares what is there with what this version of the package needs. Every dialect decides by it. */
export class SchemaPlan {
  constructor(
    private readonly components: readonly Component[],
    private readonly names: TableNames,
    /** Where the tables are, for messages. */
    private readonly store: () => string,
  ) {}

  /** What is to be done; nothing where all is as it should be. @throws SchemaError where it must not be done */
  steps(found: Found): readonly Step[] {
    return this.components.map((component) => this.#step(component, found)).filter((step) => step !== undefined);
  }

  /** @throws SchemaError with the command to run, unless there is nothing to be done */
  assertCurrent(found: Found): void {
    const [step] = this.steps(found);
    if (!step) return;
    const state = step.left === 'tables' ? 'half made' : step.from > 0 ? 'of an older version' : 'missing';
    throw new SchemaError(`The table [${step.component.table}] in ${this.store()} is ${state}. ${INSTALL}`);
  }

  #step(component: Component, { recorded, existing }: Found): Step | undefined {
    const { kind, table, versions } = component;
    const version = recorded.get(table);
    const all = tablesIn(kind, this.names);
    const present = all.filter((name) => existing.has(name));
    if (version === undefined || present.length === 0) {
      if (present.length === 0) return { component, from: 0, ...(version !== undefined && { left: 'record' }) };
      throw new SchemaError(
        `There is a table [${present[0]}] in ${this.store()} that nestjs-queue did not make. Give the connection another name for its table (options table, failed.table, batching.table).`,
      );
    }
    if (version === 0) return { component, from: 0, left: 'tables' };
    if (version > versions.length) {
      if ((recorded.get(table + SINCE) ?? Infinity) <= versions.length) return undefined;
      throw new SchemaError(
        `The table [${table}] in ${this.store()} was made by a newer version of nestjs-queue (schema ${version}, this one knows ${versions.length}). Update nestjs-queue here as well.`,
      );
    }
    const gone = all.find((name) => !existing.has(name));
    if (gone !== undefined) {
      throw new SchemaError(
        `The table [${gone}] in ${this.store()} is missing, while others of the same queue are there. Restore it; or drop ${present.join(', ')}, with all that is in them, and then: ${INSTALL.replace('Run: ', '')}`,
      );
    }
    return version === versions.length ? undefined : { component, from: version };
  }
}
