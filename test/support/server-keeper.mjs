import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { findServer, standIn, startServer } from './servers.mjs';

/** @typedef {import('./servers.mjs').SqlServerKind} SqlServerKind */
/** @typedef {import('./servers.mjs').SqlServer} SqlServer */

/** Many spec files and their child processes at once, each with pools. */
const SETTINGS = { max_connections: 300 };
const NAMES = { postgres: 'PostgreSQL', mariadb: 'MariaDB', mysql: 'MySQL' };

/**
 * Keeps the servers that all spec files of one run share. Each is started for the first spec that asks; this process owns them, as the
 * workers of Jest come and go.
 */
export class ServerKeeper {
  /** @type {Map<SqlServerKind, Promise<SqlServer>>} */
  #servers = new Map();
  /** @type {Set<string>} */
  #ran = new Set();
  #http = createServer((request, response) => {
    this.#answer(request.url ?? '/').then(
      (body) => response.end(JSON.stringify(body)),
      (error) => response.writeHead(500).end(String(error?.message ?? error)),
    );
  });

  /** @returns {Promise<string>} where specs ask */
  async open() {
    await new Promise((resolve) => this.#http.listen(0, '127.0.0.1', () => resolve(undefined)));
    this.#http.unref();
    const address = /** @type {import('node:net').AddressInfo} */ (this.#http.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /**
   * Ends what was started, and says on standard error which servers took part; instead in the file `QUEUE_TEST_SERVERS_REPORT` where that
   * is given, a line each, added to what is there.
   */
  async close() {
    this.#http.close();
    this.#http.closeAllConnections();
    await Promise.allSettled([...this.#servers.values()].map(async (server) => (await server).close()));
    const ran = [...this.#ran].sort();
    const report = process.env.QUEUE_TEST_SERVERS_REPORT;
    if (report) appendFileSync(report, ran.map((line) => `${line}\n`).join(''));
    // Standard output may be the report of Jest.
    else if (ran.length > 0) process.stderr.write(`Servers: ${ran.join('; ')}.\n`);
  }

  /** @param {string} path `/kind`, `/kind/fresh`, `/kind/drop/name`, `/kind/private` */
  async #answer(path) {
    const [asked, verb, name] = path.slice(1).split('/');
    const kind = /** @type {SqlServerKind} */ (asked);
    const stands = standIn(kind);
    const named = `${NAMES[stands]} ${findServer(stands)?.version}`;
    this.#ran.add(stands === kind ? named : `MySQL's dialect ran on ${named}`);
    // A spec starts one of its own, and only says so.
    if (verb === 'private') return { kind: stands };
    const server = await this.#server(stands);
    if (verb === 'drop') return server.dropDatabase(String(name));
    const about = { url: as(kind, server.url), ran: server.kind, version: server.version };
    if (verb !== 'fresh') return about;
    const database = `q_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    const { url, adminUrl } = await server.createDatabase(database);
    return { ...about, url: as(kind, url), adminUrl: as(kind, adminUrl), database };
  }

  /** @param {SqlServerKind} kind */
  #server(kind) {
    let server = this.#servers.get(kind);
    if (server === undefined) {
      server = startServer(kind, { settings: SETTINGS });
      this.#servers.set(kind, server);
    }
    return server;
  }
}

/**
 * @param {SqlServerKind} kind
 * @param {string} url
 */
function as(kind, url) {
  return url.replace(/^\w+:/, `${kind}:`);
}
