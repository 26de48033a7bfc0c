import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { postgresDialect } from '../../lib/backends/database/postgres/postgres-dialect.js';
import type { ClaimRequest } from '../../lib/backends/database/server/dialect.js';
import type { Link, OwnLink, Param, Row, Statement } from '../../lib/backends/database/server/link.js';
import { tablesOf } from '../../lib/backends/database/table-names.js';
import type { PushEntry } from '../../lib/contracts/queue-driver.js';

export const tables = tablesOf({}, (name) => postgresDialect.quote(name));
export const statements = postgresDialect.statements(tables);

/** Links to one database, over clients of their own. */
export class Links {
  readonly #open: OwnLink[] = [];

  constructor(private readonly url: () => string) {}

  async open(url = this.url()): Promise<OwnLink> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    const link = await postgresDialect.link(client, () => void client.end().catch(() => {}));
    this.#open.push(link);
    return link;
  }

  async install(link: Link): Promise<void> {
    for (const component of postgresDialect.components(tables)) {
      for (const drop of component.drop) await link.run(drop);
      for (const version of component.versions) for (const statement of version) await link.run(statement);
    }
  }

  close(): void {
    for (const link of this.#open.splice(0)) {
      if (link.busySince !== undefined) link.destroy(new Error('the test is over'));
      link.release();
    }
  }
}

/** A link that remembers the last statement, to be explained. */
export class SpyLink implements Link {
  #last: { statement: Statement; params: readonly Param[] } | undefined;

  constructor(private readonly link: Link) {}

  query<R extends Row = Row>(statement: Statement, params: readonly Param[]) {
    this.#last = { statement, params };
    return this.link.query<R>(statement, params);
  }

  run(sql: string): Promise<void> {
    return this.link.run(sql);
  }

  /** The plan of the last statement run once more, and nothing of it kept. */
  async plan(): Promise<string> {
    const { statement, params } = this.#last!;
    const name = `plan_${randomBytes(4).toString('hex')}`;
    const values = params.map((param) =>
      typeof param === 'string' ? `'${param.replaceAll("'", "''")}'` : String(param ?? 'NULL'),
    );
    await this.link.run(`PREPARE ${name} AS ${statement.text}`);
    await this.link.run('BEGIN');
    const text = `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) EXECUTE ${name}${values.length > 0 ? `(${values.join(', ')})` : ''}`;
    const { rows } = await this.link.query<[string]>({ name: `explain_${name}`, text }, []);
    await this.link.run('ROLLBACK');
    return rows.map(([line]) => line).join('\n');
  }
}

export function entry(over: Partial<PushEntry> = {}): PushEntry {
  const id = randomUUID();
  return { id, queue: 'default', body: `{"v":1,"uuid":"${id}"}`, delayMs: 0, ...over };
}

export async function fill(link: Link, count: number, over: (index: number) => Partial<PushEntry> = () => ({})) {
  for (let done = 0; done < count; done += 1_000) {
    const some = Array.from({ length: Math.min(1_000, count - done) }, (_, index) => entry(over(done + index)));
    await statements.insert(link, some);
  }
}

export function request(over: Partial<ClaimRequest> = {}): ClaimRequest {
  return { queues: ['default'], limit: 10, leaseMs: 60_000, claim: randomBytes(16).toString('base64url'), ...over };
}

export const ack = <T>(job: T) => ({ kind: 'ack' as const, job });
