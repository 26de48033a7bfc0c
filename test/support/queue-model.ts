import type { QueueDriver, ReservedJob } from '../../lib/contracts/queue-driver.js';
import { neverAborted } from '../../lib/support/abort.js';
import type { Harness } from '../../lib/testing/conformance/index.js';

export type ModelStep =
  | { kind: 'push'; priority: number; delayMs: number }
  | { kind: 'pass'; ms: number }
  | { kind: 'claim'; limit: number }
  | { kind: 'ack'; which: number }
  | { kind: 'remove'; which: number }
  | { kind: 'release'; which: number; delayMs: number }
  | { kind: 'renew'; which: number; leaseMs: number };

interface Row {
  readonly id: string;
  readonly priority: number;
  readonly seq: number;
  availableAt: number;
  /** Absent while nobody has it. */
  held?: { job: ReservedJob; until: number };
}

const LEASE_MS = 50;

/**
 * Takes the steps on a driver and on a plain list beside it, and tells what each claim got and what it should have got. Settlements are
 * made only while their lease runs.
 */
export async function runModel(driver: QueueDriver, harness: Harness, steps: readonly ModelStep[]) {
  const rows = new Set<Row>();
  const claims: { taken: readonly string[]; wanted: readonly string[] }[] = [];
  let now = 0;
  let seq = 0;
  const pick = (which: number, from: readonly Row[]): Row | undefined => from[which % from.length];
  const running = (): Row[] => [...rows].filter((row) => row.held !== undefined && row.held.until > now);
  const giveBack = (): void => {
    for (const row of rows) {
      if (row.held === undefined || row.held.until > now) continue;
      row.availableAt = row.held.until;
      row.held = undefined;
    }
  };

  const take = async (step: ModelStep): Promise<void> => {
    if (step.kind === 'push') {
      const row: Row = { id: `job-${++seq}`, seq, priority: step.priority, availableAt: now + step.delayMs };
      rows.add(row);
      await driver.push([{ id: row.id, queue: 'q', body: '', delayMs: step.delayMs, priority: step.priority }]);
      return;
    }
    if (step.kind === 'pass') {
      now += step.ms;
      await harness.advance(step.ms);
      return;
    }
    if (step.kind === 'claim') {
      giveBack();
      const wanted = [...rows]
        .filter((row) => row.held === undefined && row.availableAt <= now)
        .sort((a, b) => b.priority - a.priority || a.availableAt - b.availableAt || a.seq - b.seq)
        .slice(0, step.limit);
      const request = { queues: ['q'], limit: step.limit, leaseMs: LEASE_MS, waitMs: 0, signal: neverAborted };
      const jobs = await driver.reserve(request);
      claims.push({ taken: jobs.map((job) => job.id), wanted: wanted.map((row) => row.id) });
      for (const [index, row] of wanted.entries()) row.held = { job: jobs[index]!, until: now + LEASE_MS };
      return;
    }
    const row = pick(step.which, step.kind === 'remove' ? [...rows] : running());
    if (!row) return;
    if (step.kind === 'remove') {
      await driver.inspection!.remove(row.id);
      rows.delete(row);
    } else if (step.kind === 'renew') {
      await driver.leases!.renew([row.held!.job], step.leaseMs);
      row.held!.until = now + step.leaseMs;
    } else if (step.kind === 'ack') {
      await driver.settle([{ kind: 'ack', job: row.held!.job }]);
      rows.delete(row);
    } else {
      await driver.settle([{ kind: 'release', job: row.held!.job, delayMs: step.delayMs }]);
      row.held = undefined;
      row.availableAt = now + step.delayMs;
    }
  };

  for (const step of steps) await take(step);
  giveBack();
  const count = (fits: (row: Row) => boolean): number => [...rows].filter(fits).length;
  const left = {
    pending: count((row) => row.held === undefined && row.availableAt <= now),
    delayed: count((row) => row.held === undefined && row.availableAt > now),
    reserved: count((row) => row.held !== undefined),
  };
  return { claims, left };
}
