import { findServer } from './server-binaries.mjs';
import { mariadb, mysql, postgres, runAs } from './server-engines.mjs';
import { ServerProcess } from './server-process.mjs';

export { findServer };

/** @typedef {import('./servers.mjs').ServerOptions} ServerOptions */
/** @typedef {import('./servers.mjs').SqlServerKind} SqlServerKind */

const ENGINES = { postgres, mariadb, mysql };

/**
 * @param {SqlServerKind} kind
 * @returns {SqlServerKind}
 */
export function standIn(kind) {
  return kind === 'mysql' && findServer('mysql') === undefined ? 'mariadb' : kind;
}

/** @param {ServerOptions} [options] */
export const startPostgres = (options) => startServer('postgres', options);
/** @param {ServerOptions} [options] */
export const startMariadb = (options) => startServer('mariadb', options);
/** @param {ServerOptions} [options] */
export const startMysql = (options) => startServer('mysql', options);

/**
 * @param {SqlServerKind} kind
 * @param {ServerOptions} [options]
 */
export async function startServer(kind, options = {}) {
  const found = findServer(kind);
  if (found === undefined) throw new Error(`No ${kind} server is installed here: npm run verify tells how to get it.`);
  const server = new SqlServer(kind, found, options);
  try {
    await server.begin();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

class SqlServer extends ServerProcess {
  /**
   * @param {SqlServerKind} kind
   * @param {import('./servers.mjs').FoundServer} found
   * @param {ServerOptions} options
   */
  constructor(kind, found, options) {
    const engine = ENGINES[kind];
    super(kind, found, {
      stopSignal: engine.stopSignal,
      // PostgreSQL takes SIGQUIT as "at once", and gives back its shared memory; others would still tidy up.
      closeSignal: kind === 'postgres' ? 'SIGQUIT' : 'SIGKILL',
      args: (place) => engine.args({ ...place, options }),
      answers: () => this.#answers(),
      user: kind === 'postgres' ? runAs() : {},
    });
    this.engine = engine;
  }

  get url() {
    return this.#url(this.engine.admin, this.engine.adminDatabase);
  }

  /** Sets the data folder up first. */
  async begin() {
    await this.engine.initialise(this.found, this.home.path, this.dataDir);
    await super.begin();
  }

  /**
   * @param {string} text
   * @param {readonly unknown[]} [values]
   */
  sql = (text, values = []) => this.engine.query(this.url, text, values);

  /** @param {string} name */
  async createDatabase(name) {
    await this.engine.createDatabase(name, this.sql);
    return { url: this.#url('app', name), adminUrl: this.#url(this.engine.admin, name) };
  }

  /** @param {string} name */
  dropDatabase(name) {
    return this.engine.dropDatabase(name, this.sql);
  }

  /**
   * @param {string} user
   * @param {string} database
   */
  #url(user, database) {
    return `${this.engine.scheme}://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /** Another server may have taken the port meanwhile: only the one that keeps its data here counts. */
  async #answers() {
    try {
      const [row] = await this.engine.query(this.url, this.engine.dataDirSql, []);
      return String(row?.place).replace(/\/$/, '') === this.dataDir;
    } catch {
      return false;
    }
  }
}
