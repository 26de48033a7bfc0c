/** A reservation of the worker as its watchdog reads it off the board. Moments are by `Clock.elapsed()`, durations ms. */
export interface WatchedRow {
  readonly place: number;
  /** Tells this reservation from an earlier one at the same place. */
  readonly version: number;
  readonly id: string;
  readonly queue: string;
  readonly token: string;
  /** Of the job's class; `''` while it waits for a slot. */
  readonly displayName: string;
  /** Its handler runs. */
  readonly running: boolean;
  /** Infinity is never. */
  readonly deadline: number;
  readonly timeoutMs: number;
  /** The delay behind a timeout of this attempt. */
  readonly delayMs: number;
  /** What it carries between attempts has been sent by message. */
  readonly hasMemo: boolean;
}

/** What begins with an attempt. */
export interface WatchedAttempt {
  readonly displayName: string;
  readonly deadline: number;
  readonly timeoutMs: number;
  readonly delayMs: number;
  readonly hasMemo: boolean;
}

/*
 * One page: a head, then a row for each reservation.
 *
 *   head   beat f64, entered i32
 *   row    i32: version, state, length of id, of token, of name, hasMemo, length of queue      f64: deadline, timeout, delay, renewed      text
 */
const HEAD_BYTES = 64;
const ENTERED = 2;
const ROW_BYTES = 384;
const ROW_INTS = ROW_BYTES / 4;
const ROW_DOUBLES = ROW_BYTES / 8;
const [VERSION, STATE, ID, TOKEN, NAME, MEMO, QUEUE] = [0, 1, 2, 3, 4, 5, 6];
const [DEADLINE, TIMEOUT, DELAY, RENEWED] = [4, 5, 6, 7];
const TEXT_AT = 64;
const TEXT_BYTES = ROW_BYTES - TEXT_AT;
/** A name is for people: its beginning will do. */
const NAME_BYTES = 64;

const FREE = 0;
const WAITING = 1;
const RUNNING = 2;

/** One byte a character, and nothing that a log line would stumble over. */
const PLAIN = /^[ -~]*$/;

/**
 * The reservations of one worker, in memory that the worker and its watchdog share, so that a job costs no message. The worker alone
 * writes, but for the moments of renewal, which are the watchdog's. A row's version is odd while it is being written.
 */
export class WatchBoard {
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #text: Buffer;
  /** Places without a reservation; the worker's side only. */
  readonly #free: number[] = [];

  constructor(readonly memory: SharedArrayBuffer) {
    this.#ints = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#text = Buffer.from(memory);
    for (let place = this.capacity - 1; place >= 0; place--) this.#free.push(place);
  }

  static of(capacity: number): WatchBoard {
    return new WatchBoard(new SharedArrayBuffer(HEAD_BYTES + capacity * ROW_BYTES));
  }

  get capacity(): number {
    return Math.floor((this.memory.byteLength - HEAD_BYTES) / ROW_BYTES);
  }

  /** When the worker's loop was last at large. */
  get beat(): number {
    return this.#doubles[0]!;
  }
  set beat(at: number) {
    this.#doubles[0] = at;
  }

  /** Whose handler is in its first stretch, up to where it first waits: if the loop is blocked now, this one blocks it. */
  get entered(): number | undefined {
    const place = this.#ints[ENTERED]! - 1;
    return place < 0 ? undefined : place;
  }
  set entered(place: number | undefined) {
    this.#ints[ENTERED] = place === undefined ? 0 : place + 1;
  }

  /** Puts a reservation up. `undefined`: there is no room for it, or its texts do not fit; the worker alone keeps its lease. */
  hold(id: string, token: string, now: number, queue = ''): number | undefined {
    const text = id + token + queue;
    if (text.length > TEXT_BYTES - NAME_BYTES || !PLAIN.test(text)) return undefined;
    const place = this.#free.pop();
    if (place === undefined) return undefined;
    const int = intsOf(place);
    const double = doublesOf(place);
    const ints = this.#ints;
    this.#begin(int);
    ints[int + STATE] = WAITING;
    ints[int + ID] = id.length;
    ints[int + TOKEN] = token.length;
    ints[int + QUEUE] = queue.length;
    ints[int + NAME] = 0;
    ints[int + MEMO] = 0;
    this.#doubles[double + DEADLINE] = Infinity;
    this.#doubles[double + RENEWED] = now;
    this.#text.write(text, textOf(place), 'latin1');
    this.#end(int);
    return place;
  }

  start(place: number, attempt: WatchedAttempt): number {
    const int = intsOf(place);
    const double = doublesOf(place);
    const ints = this.#ints;
    this.#begin(int);
    ints[int + STATE] = RUNNING;
    ints[int + MEMO] = attempt.hasMemo ? 1 : 0;
    this.#doubles[double + DEADLINE] = attempt.deadline;
    this.#doubles[double + TIMEOUT] = attempt.timeoutMs;
    this.#doubles[double + DELAY] = attempt.delayMs;
    const at = textOf(place) + ints[int + ID]! + ints[int + TOKEN]! + ints[int + QUEUE]!;
    ints[int + NAME] = this.#text.write(attempt.displayName, at, NAME_BYTES, 'latin1');
    return this.#end(int);
  }

  /** Its handler is over; its lease is kept until the store has what came of it. */
  over(place: number): void {
    const int = intsOf(place);
    this.#begin(int);
    this.#ints[int + STATE] = WAITING;
    this.#doubles[doublesOf(place) + DEADLINE] = Infinity;
    this.#end(int);
  }

  /** The lease is over. */
  clear(place: number): void {
    const int = intsOf(place);
    this.#begin(int);
    this.#ints[int + STATE] = FREE;
    this.#end(int);
    this.#free.push(place);
  }

  /** When the lease at this place is known to have been renewed. */
  renewedAt(place: number): number {
    return this.#doubles[doublesOf(place) + RENEWED]!;
  }

  /** Notes a renewal, unless another reservation is at its place by now. */
  renewed({ place, version }: WatchedRow, at: number): void {
    if (Atomics.load(this.#ints, intsOf(place) + VERSION) === version) this.#doubles[doublesOf(place) + RENEWED] = at;
  }

  /** Every reservation that is up. One that is just being written is left out. */
  rows(): WatchedRow[] {
    const rows: WatchedRow[] = [];
    for (let place = 0; place < this.capacity; place++) {
      const int = intsOf(place);
      const version = Atomics.load(this.#ints, int + VERSION);
      if (version % 2 !== 0 || this.#ints[int + STATE] === FREE) continue;
      const row = this.#row(place, version);
      if (Atomics.load(this.#ints, int + VERSION) === version) rows.push(row);
    }
    return rows;
  }

  #row(place: number, version: number): WatchedRow {
    const int = intsOf(place);
    const double = doublesOf(place);
    const ints = this.#ints;
    const doubles = this.#doubles;
    let at = textOf(place);
    const next = (length: number): string => this.#text.toString('latin1', at, (at += length));
    return {
      place,
      version,
      id: next(ints[int + ID]!),
      token: next(ints[int + TOKEN]!),
      queue: next(ints[int + QUEUE]!),
      displayName: next(ints[int + NAME]!),
      running: ints[int + STATE] === RUNNING,
      deadline: doubles[double + DEADLINE]!,
      timeoutMs: doubles[double + TIMEOUT]!,
      delayMs: doubles[double + DELAY]!,
      hasMemo: ints[int + MEMO] === 1,
    };
  }

  #begin(int: number): void {
    Atomics.store(this.#ints, int + VERSION, (this.#ints[int + VERSION]! + 1) | 0);
  }

  #end(int: number): number {
    return Atomics.store(this.#ints, int + VERSION, (this.#ints[int + VERSION]! + 1) | 0);
  }
}

function intsOf(place: number): number {
  return HEAD_BYTES / 4 + place * ROW_INTS;
}

function doublesOf(place: number): number {
  return HEAD_BYTES / 8 + place * ROW_DOUBLES;
}

function textOf(place: number): number {
  return HEAD_BYTES + place * ROW_BYTES + TEXT_AT;
}
