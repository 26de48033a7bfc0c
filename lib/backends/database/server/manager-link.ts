import { describe } from '../../../support/queue-error.js';
import type { Faults } from './faults.js';
import { LostLinkError, type Answer, type Cell, type Link, type Param, type Row, type Statement } from './link.js';

/** What is used of a TypeORM QueryRunner. */
export interface QueryRunnerLike {
  query(sql: string, parameters: unknown[], structured: true): Promise<StructuredResult>;
  query(sql: string): Promise<unknown>;
}

interface StructuredResult {
  readonly records?: readonly Readonly<Record<string, unknown>>[];
  readonly affected?: number | null;
}

/** The connection that holds somebody else's transaction, as TypeORM hands it out: nothing is prepared on it. */
export class ManagerLink implements Link {
  constructor(
    private readonly runner: QueryRunnerLike,
    private readonly faults: Faults,
  ) {}

  async query<R extends Row = Row>({ text }: Statement, params: readonly Param[]): Promise<Answer<R>> {
    const { records = [], affected } = await this.#sent(this.runner.query(text, [...params], true));
    return {
      rows: records.map((record) => Object.values(record).map(cellOf)) as readonly Row[] as readonly R[],
      changes: affected ?? 0,
    };
  }

  async run(sql: string): Promise<void> {
    await this.#sent(this.runner.query(sql));
  }

  async #sent<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.faults.of(error) === 'unavailable' ? new LostLinkError(error) : error;
    }
  }
}

/** As the application has told its driver to hand values out. */
function cellOf(value: unknown): Cell {
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
  if (Buffer.isBuffer(value)) return value.toString();
  throw new TypeError(`The DataSource hands out ${describe(value)} where a text or a number was asked for.`);
}
