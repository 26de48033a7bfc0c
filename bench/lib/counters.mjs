import { createRequire } from 'node:module';

/**
 * Counts what this process sends to its store, by wrapping the client library's classes. A thread with a connection of its own is not
 * seen.
 */
export function countStatements(family, root) {
  const counted = { statements: 0, commits: 0 };
  const require = createRequire(root);
  if (family === 'postgres') countPg(require('pg'), counted);
  if (family === 'sqlite') {
    for (const name of ['libsql', 'better-sqlite3']) {
      const Database = optional(require, name);
      if (Database !== undefined) countSqlite(Database, counted);
    }
  }
  return counted;
}

function countPg({ Client }, counted) {
  const { query } = Client.prototype;
  const open = new WeakSet();
  Client.prototype.query = function (config, ...rest) {
    counted.statements += 1;
    const text = String(typeof config === 'string' ? config : (config?.text ?? ''));
    if (/^\s*(begin|start transaction)\b/i.test(text)) open.add(this);
    else if (/^\s*(commit|end|rollback(?! to))\b/i.test(text)) {
      open.delete(this);
      counted.commits += 1;
    } else if (!open.has(this)) counted.commits += 1;
    return query.call(this, config, ...rest);
  };
}

function countSqlite(Database, counted) {
  // A commit is seen as a transaction that was open before a call and is not after it, or a write outside one.
  const probe = new Database(':memory:');
  wrap(
    Database.prototype,
    'exec',
    (db) => db,
    counted,
    () => false,
  );
  const Statement = Object.getPrototypeOf(probe.prepare('SELECT 1'));
  const owner = new WeakMap();
  const { prepare } = Database.prototype;
  Database.prototype.prepare = function (sql, ...rest) {
    const statement = prepare.call(this, sql, ...rest);
    owner.set(statement, { db: this, writes: /^\s*(insert|update|delete|replace|with)\b/i.test(sql) });
    return statement;
  };
  probe.close();
  for (const method of ['run', 'get', 'all']) {
    wrap(
      Statement,
      method,
      (statement) => owner.get(statement)?.db,
      counted,
      (statement) => owner.get(statement)?.writes === true,
    );
  }
}

function wrap(prototype, method, databaseOf, counted, writes) {
  const original = prototype[method];
  prototype[method] = function (...args) {
    const db = databaseOf(this);
    const before = db?.inTransaction;
    const result = original.apply(this, args);
    counted.statements += 1;
    const after = db?.inTransaction;
    if ((before && !after) || (!before && !after && writes(this))) counted.commits += 1;
    return result;
  };
}

function optional(require, name) {
  try {
    return require(name);
  } catch {
    return undefined;
  }
}
