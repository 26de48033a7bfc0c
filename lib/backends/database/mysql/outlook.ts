import type { Link, Statement } from '../server/link.js';
import { storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { statementOf } from '../server/flavour.js';
import { NOW } from './mysql-flavour.js';
import { CLAIM_INDEX } from './schema.js';

/** Parts of one statement. */
const PARTS = 64;
const LENGTHS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const BEFORE_ALL = -(2 ** 53);
const LAST = Number.MAX_SAFE_INTEGER;

/** The first free job of a priority. */
export interface Head {
  readonly place: number;
  readonly availableAt: number;
}

/** What a look at one queue shows. */
export interface View {
  readonly queue: string;
  /** By the server's clock, when it was looked at. */
  readonly now: number;
  /** In the claim's order, without a gap between them. */
  readonly heads: readonly Head[];
  /** These are all there are; else there may be more behind them. */
  readonly whole: boolean;
  /** When the first lease ends, if any job is reserved. */
  readonly leaseEndsAt?: number;
}

interface Part {
  readonly view: number;
  /** What comes after this. */
  readonly after: number;
  readonly to: number;
}

/**
 * Looks at the first job of each priority of each queue, in one statement that locks nothing, however many jobs wait or are delayed.
 *
 * Each part of the statement finds the first row of a stretch of the claim index. A stretch ends with a priority that was in use the
 * last time: when its first row is of that priority there is none before it. Behind the last of them all the rest is one stretch. A
 * priority that is new shows as the first row of some stretch, and has an end of its own in the next look.
 */
export class Outlook {
  readonly #head: string;
  readonly #lease: string;
  readonly #statements = new Map<string, Statement>();
  readonly #places = new Map<string, readonly number[]>();

  constructor({ quoted: t }: Tables) {
    const jobs = `${t.jobs} FORCE INDEX (${CLAIM_INDEX})`;
    // Never one value alone, as BETWEEN would be: MariaDB makes an equality of it, and then sorts the whole stretch.
    this.#head = `place, available_at FROM ${jobs} WHERE queue = ? AND leased_until = 0 AND place > ? AND place < ?
      ORDER BY place, available_at, seq LIMIT 1`;
    this.#lease = `0, leased_until FROM ${jobs} WHERE queue = ? AND leased_until > 0 ORDER BY leased_until LIMIT 1`;
  }

  /** One view for each queue, in order. */
  async look(link: Link, queues: readonly string[]): Promise<readonly View[]> {
    const views: View[] = [];
    let some: string[] = [];
    let parts = 0;
    for (const queue of queues) {
      const more = (this.#places.get(queue)?.length ?? 0) + 1;
      if (some.length > 0 && parts + more > PARTS) {
        views.push(...(await this.#lookAt(link, some)));
        some = [];
        parts = 0;
      }
      some.push(queue);
      parts += more;
    }
    if (some.length > 0) views.push(...(await this.#lookAt(link, some)));
    return views;
  }

  async #lookAt(link: Link, queues: readonly string[]): Promise<readonly View[]> {
    const parts = queues.flatMap((queue, view) => stretches(this.#places.get(queue) ?? [], view));
    const heads = rounded(parts.length);
    const leases = rounded(queues.length);
    const names = queues.map(storable);
    // What fills the statement up asks for a queue that there cannot be.
    const params = Array.from({ length: heads }, (_, at) => {
      const part = parts[at];
      return part ? [names[part.view]!, part.after, part.to + 1] : ['', 0, 2];
    }).flat();
    const holders = Array.from({ length: leases }, (_, at) => names[at] ?? '');
    const { rows } = await link.query<[number, number, number]>(this.#sized(heads, leases), [...params, ...holders]);
    const found = new Map(rows.map(([slot, place, at]) => [Number(slot), [Number(place), Number(at)] as const]));
    const now = found.get(heads + leases)![1];
    return queues.map((queue, view) => {
      const own = parts.flatMap((part, slot) => (part.view === view ? [{ part, head: found.get(slot) }] : []));
      const leaseEndsAt = found.get(heads + view)?.[1];
      const { heads: seen, whole, places } = read(own);
      if (places.length === 0) this.#places.delete(queue);
      else this.#places.set(queue, places);
      return { queue, now, heads: seen, whole, ...(leaseEndsAt === undefined ? {} : { leaseEndsAt }) };
    });
  }

  #sized(heads: number, leases: number): Statement {
    const key = `${heads}.${leases}`;
    let statement = this.#statements.get(key);
    if (statement === undefined) {
      const parts = [
        ...Array.from({ length: heads }, (_, at) => `(SELECT ${at}, ${this.#head})`),
        ...Array.from({ length: leases }, (_, at) => `(SELECT ${heads + at}, ${this.#lease})`),
        `(SELECT ${heads + leases}, 0, ${NOW})`,
      ];
      statement = statementOf(parts.join(' UNION ALL '));
      this.#statements.set(key, statement);
    }
    return statement;
  }
}

function stretches(places: readonly number[], view: number): Part[] {
  let after = BEFORE_ALL;
  const parts = places.map((to) => {
    const part = { view, after, to };
    after = to;
    return part;
  });
  return [...parts, { view, after, to: LAST }];
}

/** What the first rows of a queue's stretches tell, and which priorities are in use. */
function read(
  own: readonly { readonly part: Part; readonly head: readonly [place: number, at: number] | undefined }[],
): { readonly heads: readonly Head[]; readonly whole: boolean; readonly places: readonly number[] } {
  const heads: Head[] = [];
  const places: number[] = [];
  let whole = true;
  for (const { part, head } of own) {
    if (head === undefined) continue;
    const [place, availableAt] = head;
    if (whole) heads.push({ place, availableAt });
    places.push(place);
    if (place === part.to) continue;
    // Whatever else is in this stretch was not seen.
    whole = false;
    if (part.to !== LAST) places.push(part.to);
  }
  return { heads, whole, places };
}

function rounded(count: number): number {
  return LENGTHS.find((length) => length >= count) ?? count;
}
