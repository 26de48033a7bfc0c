import { LostLinkError, type Answer, type OwnLink, type Param, type Row, type Statement } from '../server/link.js';
import { endsLink } from './mysql-faults.js';

/** What is used of a connection of mysql2, from a pool or not. */
export interface MysqlConnection {
  execute(options: Command, done: Done): unknown;
  query(options: Command, done: Done): unknown;
  on(event: 'error' | 'end', listener: (error?: unknown) => void): unknown;
  destroy(): void;
}

interface Command {
  readonly sql: string;
  readonly values?: unknown[];
  readonly rowsAsArray?: boolean;
}

type Done = (error: unknown, result?: unknown) => void;

/** Names no server: for a text that is seldom the same twice, and is sent as it is. */
export const UNPREPARED = '';

/** How long a statement waits for a row that another transaction holds. Shorter than a connection that does not answer is waited for. */
const LOCK_WAIT_S = 3;
/** What nobody waits for any more is ended by the server itself. */
const STATEMENT_S = 10;
/** What a statement needs beside its texts: packet header, types, lengths. */
const OVERHEAD_BYTES = 1_024;
const PARAM_BYTES = 16;

const SESSION = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION autocommit = 1, SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_S}, SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'`,
];

/** Who hears of a connection's end now. It is listened to for good: an error that nobody hears of would end the process. */
const holders = new WeakMap<MysqlConnection, { link: MysqlLink }>();

/** @throws the server's error where the session cannot be set up */
export async function mysqlLink(connection: unknown, release: () => void): Promise<OwnLink> {
  const link = new MysqlLink(connection as MysqlConnection, release);
  await link.setUp();
  return link;
}

class MysqlLink implements OwnLink {
  #lost: LostLinkError | undefined;
  #busySince: number | undefined;
  #abandon: ((reason: LostLinkError) => void) | undefined;
  #packetBytes = Infinity;

  constructor(
    private readonly connection: MysqlConnection,
    private readonly giveBack: () => void,
  ) {
    const known = holders.get(connection);
    if (known) {
      known.link = this;
      return;
    }
    const holder = { link: this };
    holders.set(connection, holder);
    connection.on('error', (error) => holder.link.#end(error));
    connection.on('end', () => holder.link.#end(new Error('the server hung up')));
  }

  get alive(): boolean {
    return this.#lost === undefined;
  }

  get busySince(): number | undefined {
    return this.#busySince;
  }

  async setUp(): Promise<void> {
    const [[version, packetBytes] = []] = await this.#rows('SELECT VERSION(), @@max_allowed_packet');
    this.#packetBytes = Number(packetBytes) || Infinity;
    for (const sql of SESSION) await this.run(sql);
    // Seconds on MariaDB for every statement, milliseconds on MySQL and for reading alone.
    const limit = /mariadb/i.test(String(version))
      ? `max_statement_time = ${STATEMENT_S}`
      : `max_execution_time = ${STATEMENT_S * 1_000}`;
    try {
      await this.run(`SET SESSION ${limit}`);
    } catch (error) {
      if (error instanceof LostLinkError) throw error;
    }
  }

  async query<R extends Row = Row>({ name, text }: Statement, params: readonly Param[]): Promise<Answer<R>> {
    const bytes = this.#measured(text, params);
    // Escaped text may be twice as long.
    const prepared = name !== UNPREPARED || bytes * 2 > this.#packetBytes;
    const values = prepared ? withTextLimits(text, params) : [...params];
    const result = await this.#send(prepared ? 'execute' : 'query', { sql: text, values, rowsAsArray: true });
    if (Array.isArray(result)) {
      for (const row of result as unknown[][]) decode(row);
      return { rows: result as R[], changes: 0 };
    }
    return { rows: [], changes: changesOf(result as { affectedRows?: number; info?: string }) };
  }

  async run(sql: string): Promise<void> {
    await this.#send('query', { sql });
  }

  release(): void {
    this.giveBack();
  }

  destroy(reason: Error): void {
    this.#end(reason);
    this.connection.destroy();
  }

  async #rows(sql: string): Promise<readonly (readonly unknown[])[]> {
    return (await this.#send('query', { sql, rowsAsArray: true })) as unknown[][];
  }

  #send(how: 'execute' | 'query', command: Command): Promise<unknown> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#busySince = performance.now();
      this.#abandon = reject;
      const done: Done = (error, result) => {
        this.#busySince = undefined;
        this.#abandon = undefined;
        if (!error) return resolve(result);
        if (endsLink(error)) this.#end(error);
        reject(this.#lost ?? (error as Error));
      };
      try {
        this.connection[how](command, done);
      } catch (error) {
        done(error);
      }
    });
  }

  #end(reason: unknown): void {
    this.#lost ??= new LostLinkError(reason);
    this.#busySince = undefined;
    const abandon = this.#abandon;
    this.#abandon = undefined;
    abandon?.(this.#lost);
  }

  /** The server hangs up on a packet that is too large, and nobody would know why. */
  #measured(text: string, params: readonly Param[]): number {
    let characters = text.length;
    for (const param of params) if (typeof param === 'string') characters += param.length;
    const beside = OVERHEAD_BYTES + params.length * PARAM_BYTES;
    // A character of UTF-16 takes three bytes at most.
    if (characters * 3 + beside <= this.#packetBytes) return characters * 3 + beside;
    let bytes = Buffer.byteLength(text) + beside;
    for (const param of params) if (typeof param === 'string') bytes += Buffer.byteLength(param);
    if (bytes > this.#packetBytes) throw new PacketTooLargeError(bytes, this.#packetBytes);
    return bytes;
  }
}

/** As the server itself would say it, before it is sent. */
class PacketTooLargeError extends Error {
  readonly code = 'ER_NET_PACKET_TOO_LARGE';
  readonly errno = 1153;

  constructor(bytes: number, limit: number) {
    super(
      `A statement of ${bytes} bytes is larger than the server's max_allowed_packet of ${limit}. Make the job's data smaller, or raise max_allowed_packet.`,
    );
    this.name = 'PacketTooLargeError';
  }
}

/** mysql2 sends numbers as floating point, which MySQL 8 does not take for a LIMIT; text it takes, and MariaDB too. */
function withTextLimits(text: string, params: readonly Param[]): unknown[] {
  const values: unknown[] = [...params];
  for (const at of limitsIn(text)) values[at] = String(values[at]);
  return values;
}

const limits = new Map<string, readonly number[]>();

/** Which of the parameters stand behind LIMIT. */
function limitsIn(text: string): readonly number[] {
  let found = limits.get(text);
  if (found === undefined) {
    found = [...text.matchAll(/\bLIMIT \?/g)].map(({ index }) => text.slice(0, index).split('?').length - 1);
    // Texts are few; a caller that makes up new ones must not fill the memory.
    if (limits.size < 1_000) limits.set(text, found);
  }
  return found;
}

/** VARBINARY and BLOB come as bytes: here they are text. */
function decode(row: unknown[]): void {
  for (let at = 0; at < row.length; at += 1) {
    const cell = row[at];
    if (Buffer.isBuffer(cell)) row[at] = cell.toString('utf8');
  }
}

/** Without the flag FOUND_ROWS an UPDATE counts what it changed; what it found stands beside it. */
function changesOf({ affectedRows = 0, info = '' }: { affectedRows?: number; info?: string }): number {
  const matched = /^Rows matched: (\d+)/.exec(info)?.[1];
  return matched === undefined ? affectedRows : Number(matched);
}
