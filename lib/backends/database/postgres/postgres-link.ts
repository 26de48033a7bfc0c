import { isWayFault } from '../server/faults.js';
import { LostLinkError, type Answer, type OwnLink, type Param, type Row, type Statement } from '../server/link.js';

/** What is used of a client of the package `pg`. */
export interface PgClient {
  query(config: PgQuery, done: (error: unknown, result: PgResult) => void): void;
  on(event: string, listener: (value: never) => void): unknown;
  removeListener(event: string, listener: (value: never) => void): unknown;
  /** Absent on pg-native. */
  readonly connection?: { readonly stream?: { destroy(): unknown } };
  ref?(): void;
  unref?(): void;
}

interface PgQuery {
  readonly text: string;
  readonly name?: string;
  readonly values?: readonly unknown[];
  readonly rowMode: 'array';
  readonly types: { getTypeParser(oid: number): (text: string) => unknown };
}

interface PgResult {
  readonly rows?: readonly Row[];
  readonly rowCount?: number | null;
}

/**
 * Right after a bulk there are no statistics, and a plan made then would stay: so plans depend on none. Every statement here is meant to
 * walk indexes and nothing else. The time limits end what a lost lock or a lost client would hold up for ever.
 */
const SESSION = [
  `statement_timeout = '10s'`,
  `idle_in_transaction_session_timeout = '30s'`,
  `lock_timeout = '5s'`,
  `default_transaction_isolation = 'read committed'`,
  'plan_cache_mode = force_generic_plan',
  ...['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'jit'].map((one) => `${one} = off`),
]
  .map((setting) => `SET ${setting}`)
  .join('; ');

/** A pool hands a connection out again with its session as it was. */
const setUp = new WeakSet<PgClient>();

const asText = (text: string): unknown => text;
/** int8, int4, int2. For our statements only: the application's are none of our business. */
const types = { getTypeParser: (oid: number) => (oid === 20 || oid === 23 || oid === 21 ? Number : asText) };

export async function postgresLink(connection: unknown, release: () => void): Promise<PostgresLink> {
  const client = connection as PgClient;
  const link = new PostgresLink(client, release);
  if (!setUp.has(client)) {
    await link.run(SESSION);
    setUp.add(client);
  }
  return link;
}

/** A connection of the queue's own, over the client that TypeORM's pool has. */
export class PostgresLink implements OwnLink {
  #alive = true;
  #busySince: number | undefined;
  #given = false;
  #gone: ((cause: unknown) => void) | undefined;
  #rejectWaiting: ((error: unknown) => void) | undefined;
  readonly #client: PgClient;
  readonly #release: () => void;
  readonly #onError = (error: unknown): void => this.#lost(error);
  readonly #onEnd = (): void => this.#lost(new Error('Connection terminated'));

  constructor(client: PgClient, release: () => void) {
    this.#client = client;
    this.#release = release;
    client.on('error', this.#onError);
    client.on('end', this.#onEnd);
  }

  get alive(): boolean {
    return this.#alive;
  }

  get busySince(): number | undefined {
    return this.#busySince;
  }

  async query<R extends Row = Row>(statement: Statement, params: readonly Param[]): Promise<Answer<R>> {
    for (const param of params) refuseUnfit(param);
    const { name, text } = statement;
    const { rows, rowCount } = await this.#send({ name, text, values: params, rowMode: 'array', types });
    return { rows: (rows ?? []) as readonly R[], changes: rowCount ?? 0 };
  }

  async run(sql: string): Promise<void> {
    await this.#send({ text: sql, rowMode: 'array', types });
  }

  /** Calls `hear` with the text of each notification, and `gone` once when the connection has ended. */
  listen(hear: (payload: string) => void, gone: (cause: unknown) => void): () => void {
    const onNotification = (message: { readonly payload?: string }): void => hear(message.payload ?? '');
    this.#client.on('notification', onNotification);
    this.#gone = gone;
    // Hearing alone is no reason for a process to stay.
    this.#client.unref?.();
    return () => {
      this.#gone = undefined;
      this.#client.removeListener('notification', onNotification);
      this.#client.ref?.();
    };
  }

  release(): void {
    if (this.#given) return;
    this.#given = true;
    this.#release();
    // Only now: whoever has the connection next listens for its errors already.
    this.#client.removeListener('error', this.#onError);
    this.#client.removeListener('end', this.#onEnd);
  }

  destroy(reason: Error): void {
    const stream = this.#client.connection?.stream;
    this.#lost(reason);
    stream?.destroy();
  }

  #send(query: PgQuery): Promise<PgResult> {
    if (!this.#alive) return Promise.reject(new LostLinkError(new Error('Connection terminated')));
    return new Promise((resolve, reject) => {
      this.#busySince = performance.now();
      this.#rejectWaiting = reject;
      this.#client.query(query, (error, result) => {
        this.#busySince = undefined;
        this.#rejectWaiting = undefined;
        if (!error) return resolve(result);
        if (!isEndOfConnection(error) && (this.#alive || isOfServer(error))) return reject(error as Error);
        this.#lost(error);
        reject(new LostLinkError(error));
      });
    });
  }

  #lost(cause: unknown): void {
    this.#busySince = undefined;
    this.#rejectWaiting?.(new LostLinkError(cause));
    this.#rejectWaiting = undefined;
    if (!this.#alive) return;
    this.#alive = false;
    this.#gone?.(cause);
  }
}

function refuseUnfit(param: Param): void {
  if (typeof param === 'string' || param === null) return;
  if (typeof param === 'number' ? Number.isSafeInteger(param) : Array.isArray(param)) return;
  throw new TypeError(`${String(param)} is no text, whole number, null or list, and cannot be sent to Postgres.`);
}

function isOfServer(error: unknown): boolean {
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && typeof severity === 'string';
}

/** The server said so as its last word (it was told to end this session, or all of them), or the socket or the client did. */
function isEndOfConnection(error: unknown): boolean {
  const { code, severity, message } = error as { code?: unknown; severity?: unknown; message?: unknown };
  if (isOfServer(error)) return severity === 'FATAL' || severity === 'PANIC' || /^57P0|^08/.test(code as string);
  return (
    isWayFault(error) || /^(Connection terminated|Client (was closed|has encountered|is closed))/.test(String(message))
  );
}
