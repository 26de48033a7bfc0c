import type { RateAnswer, RateLimit, RateLimiterStore } from '../../../contracts/rate-limiter-store.js';
import { chunks } from '../../../support/chunks.js';
import { askLimits, type RateWindow } from '../rate-windows.js';
import type { Tables } from '../table-names.js';
import type { Flavour } from './flavour.js';
import type { Link, Statement } from './link.js';
import type { SideStore } from './side-store.js';
import { LIST, SizedStatement } from './sized-statement.js';
import { indexable } from '../../stored-text.js';

type Found = [key: string, hits: number, endsAt: number, now: number];
interface Windows {
  readonly now: number;
  readonly byKey: ReadonlyMap<string, RateWindow>;
}

export class ServerLimits implements RateLimiterStore {
  readonly #look: SizedStatement;
  readonly #hold: SizedStatement;
  readonly #make: Statement;
  readonly #put: Statement;
  readonly #clear: SizedStatement;

  constructor(
    private readonly side: SideStore,
    { quoted: t }: Tables,
    flavour: Flavour,
  ) {
    const look = (length: number): string =>
      `SELECT limit_key, hits, ends_at, ${flavour.now} AS at_ms FROM ${t.limits} WHERE limit_key IN ${flavour.list(length)} ORDER BY limit_key`;
    this.#look = new SizedStatement(flavour, look);
    this.#hold = new SizedStatement(flavour, (length) => `${look(length)} ${flavour.forUpdate}`);
    // A row that is there by now is locked by this, and stays as it is.
    this.#make = flavour.statement(
      flavour.upsert(
        `INSERT INTO ${t.limits} (limit_key, hits, ends_at) VALUES (?, 0, 0)`,
        'limit_key',
        () => `hits = ${t.limits}.hits`,
      ),
    );
    this.#put = flavour.statement(`UPDATE ${t.limits} SET hits = ?, ends_at = ? WHERE limit_key = ?`);
    this.#clear = new SizedStatement(
      flavour,
      (length) => `DELETE FROM ${t.limits} WHERE limit_key IN ${flavour.list(length)}`,
    );
  }

  async take(limits: readonly RateLimit[]): Promise<RateAnswer> {
    // A refusal is the common answer of a busy limiter, and needs no write.
    const look = await this.peek(limits);
    if (!look.allowed || limits.length === 0) return look;
    const keys = keysOf(limits.map(({ key }) => key));
    return this.side.write(async (link) => {
      let { now, byKey } = await this.#windows(link, this.#hold, keys);
      const missing = keys.filter((key) => !byKey.has(key));
      if (missing.length > 0) {
        for (const key of missing) await link.query(this.#make, [key]);
        ({ now, byKey } = await this.#windows(link, this.#hold, keys));
      }
      const { answer, taken } = askLimits(limits, (key) => byKey.get(indexable(key)), now);
      for (const [key, { hits, endsAt }] of taken?.windows ?? []) {
        await link.query(this.#put, [hits, Math.min(Math.ceil(endsAt), Number.MAX_SAFE_INTEGER), indexable(key)]);
      }
      return taken?.answer ?? answer;
    });
  }

  async peek(limits: readonly RateLimit[]): Promise<RateAnswer> {
    const keys = keysOf(limits.map(({ key }) => key));
    const { now, byKey } = await this.side.read((link) => this.#windows(link, this.#look, keys));
    return askLimits(limits, (key) => byKey.get(indexable(key)), now).answer;
  }

  async clear(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.side.write(async (link) => {
      for (const some of chunks(keysOf(keys), LIST)) {
        const { statement, padded } = this.#clear.of(some);
        await link.query(statement, padded);
      }
    });
  }

  /** Without a row the moment does not matter: no answer depends on it. */
  async #windows(link: Link, look: SizedStatement, keys: readonly string[]): Promise<Windows> {
    const byKey = new Map<string, RateWindow>();
    let now = 0;
    for (const some of chunks(keys, LIST)) {
      const { statement, padded } = look.of(some);
      for (const [key, hits, endsAt, at] of (await link.query<Found>(statement, padded)).rows) {
        byKey.set(key, { hits: Number(hits), endsAt: Number(endsAt) });
        now = Number(at);
      }
    }
    return { now, byKey };
  }
}

/** In one order for everybody, so that two who lock several never wait for each other. */
function keysOf(keys: readonly string[]): readonly string[] {
  return [...new Set(keys.map(indexable))].sort();
}
