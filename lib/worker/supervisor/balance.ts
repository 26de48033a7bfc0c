/** What a pool has to do, and what it does it with. Demand is counted in slots: places for one job at a time. */
export interface PoolLoad {
  /** Processes that are there or start; not those that are ending. */
  readonly processes: number;
  /** Jobs that could run now and do not. */
  readonly waiting: number;
  /** Slots that were in use lately, on average. */
  readonly busy: number;
  /** The most of the last few looks: what must be quiet for a while before something is taken away. */
  readonly busiest: number;
  /** How long a job has a slot, on average; `undefined` while none has ended. */
  readonly jobMs: number | undefined;
  /** Looks in a row that found jobs which have waited for longer than they should. */
  readonly late: number;
}

export interface BalanceRules {
  readonly strategy: 'time' | 'size';
  readonly concurrency: number;
  readonly minProcesses: number;
  readonly maxProcesses: number;
  /** A backlog that is done sooner by what there is needs no more. */
  readonly clearMs: number;
}

export interface BalanceStep {
  /** Aligned with the pools. */
  readonly add: readonly number[];
  readonly remove: readonly number[];
}

/** What must be spare before a process is taken away: otherwise it would be missed at once. */
const HEADROOM = 1.2;
/** A share may be so far from the number of processes that are there: rounding alone would be 0.5. */
const STAYS = 0.75;
/** Slots in use from which on a pool counts as full: a slot is never in use between two jobs. */
const FULL = 0.9;

/** How many slots a pool needs. */
export function demand(load: PoolLoad, rules: BalanceRules): number {
  const slots = Math.max(1, load.processes) * rules.concurrency;
  const { waiting, busy, busiest, jobMs } = load;
  if (waiting === 0) return Math.min(slots, busiest * HEADROOM);
  const all = busy + waiting;
  if (rules.strategy === 'size') return all;
  if (jobMs === undefined) return Math.max(all, busiest);
  const forAll = (waiting * jobMs) / rules.clearMs;
  if (forAll > slots) return Math.min(all, forAll);
  // The estimate says that they are soon done, and they are not.
  if (load.late > 1 && busy >= slots * FULL) return slots + 1;
  return Math.min(slots, Math.max(busiest * HEADROOM, forAll));
}

/** How many processes each pool should have. Where all together may not have what they need, they share by need. */
export function targets(loads: readonly PoolLoad[], rules: BalanceRules): readonly number[] {
  const { concurrency, minProcesses: min, maxProcesses: max } = rules;
  const wanted = loads.map((load) => Math.max(min, Math.ceil(demand(load, rules) / concurrency - 1e-9)));
  const sum = total(wanted);
  if (sum <= max) return wanted;
  const spare = max - min * loads.length;
  const exact = wanted.map((one) => min + (spare * (one - min)) / (sum - min * loads.length));
  // Nobody is ended for a share that is hardly nearer to another number: it would be to this one again at the next look.
  const present = loads.map((load) => load.processes);
  if (total(present) === max && present.every((count, at) => Math.abs(count - exact[at]!) < STAYS)) return present;
  return rounded(exact, max);
}

/**
 * The next step towards the targets.
 *
 * @param alive processes in all, those that are ending included: they take their share of the machine until they are gone
 */
export function step(
  loads: readonly PoolLoad[],
  aims: readonly number[],
  alive: number,
  limits: { readonly maxProcesses: number; readonly maxShift: number },
): BalanceStep {
  const add = loads.map(() => 0);
  const remove = loads.map(() => 0);
  const short = (at: number): number => aims[at]! - loads[at]!.processes - add[at]!;
  const spare = (at: number): number => loads[at]!.processes - aims[at]! - remove[at]!;
  for (let left = Math.min(limits.maxShift, limits.maxProcesses - alive); left > 0; left--) {
    const at = greatest(loads.length, short);
    if (at < 0) break;
    add[at]! += 1;
  }
  for (let left = limits.maxShift; left > 0; left--) {
    const at = greatest(loads.length, spare);
    if (at < 0) break;
    remove[at]! += 1;
  }
  return { add, remove };
}

/** `max` processes in shares that differ by one at most; earlier pools have the larger ones. */
export function evenly(max: number, pools: number): readonly number[] {
  return Array.from({ length: pools }, (_, at) => Math.floor(max / pools) + (at < max % pools ? 1 : 0));
}

/** Whole numbers with the given sum, by largest remainder; earlier ones first. */
function rounded(exact: readonly number[], sum: number): readonly number[] {
  const whole = exact.map((one) => Math.floor(one + 1e-9));
  for (let left = sum - total(whole); left > 0; left--)
    whole[greatest(exact.length, (at) => exact[at]! - whole[at]!)]! += 1;
  return whole;
}

/** The first index with the greatest value above 0; -1 where there is none. */
function greatest(length: number, value: (at: number) => number): number {
  let best = -1;
  for (let at = 0; at < length; at++) if (value(at) > (best < 0 ? 1e-9 : value(best) + 1e-9)) best = at;
  return best;
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, one) => sum + one, 0);
}
