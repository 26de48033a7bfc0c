import type { BatchCallback, BatchProgress, BatchRecord } from '../../contracts/batch-store.js';
import { readable } from '../stored-text.js';
import type { Reply } from './link.js';

/** What the scripts of batches answer with: flags, facts as names and values in turn, ids of failed members. */
export interface BatchAnswer {
  readonly flags: number;
  readonly facts: ReadonlyMap<string, string>;
  readonly failedIds: readonly string[];
}

/** Parts of the flags that `end_member` answers with. */
const COUNTED = 1;
const STARTED = 2;
const FINISHED = 4;
const CANCELLED = 8;

const CALLBACKS: readonly BatchCallback[] = ['then', 'catch', 'finally'];

/** `undefined` where there is no such batch. */
export function batchAnswer(reply: Reply): BatchAnswer | undefined {
  if (reply === null) return undefined;
  const [flags, facts, failedIds] = reply as unknown as readonly [number, readonly string[], readonly string[]];
  const byName = new Map<string, string>();
  for (let at = 0; at < facts.length; at += 2) byName.set(facts[at]!, facts[at + 1]!);
  return { flags, facts: byName, failedIds };
}

export function batchRecord(id: string, { facts, failedIds }: BatchAnswer): BatchRecord {
  const number = (name: string): number => Number(facts.get(name));
  const moment = (name: 'cancelledAt' | 'finishedAt') => (facts.has(name) ? { [name]: number(name) } : {});
  return {
    id,
    name: readable(facts.get('name')!),
    options: readable(facts.get('options')!),
    totalJobs: number('total'),
    pendingJobs: number('pending'),
    failedJobs: number('failed'),
    endedJobs: number('ended'),
    failedJobIds: failedIds.map(readable),
    sealed: facts.get('sealed') === '1',
    createdAt: number('createdAt'),
    ...moment('cancelledAt'),
    ...moment('finishedAt'),
  };
}

export function batchProgress(id: string, answer: BatchAnswer): BatchProgress {
  const { flags, facts } = answer;
  return {
    batch: batchRecord(id, answer),
    counted: (flags & COUNTED) > 0,
    started: (flags & STARTED) > 0,
    finished: (flags & FINISHED) > 0,
    cancelled: (flags & CANCELLED) > 0,
    due: CALLBACKS.filter((one) => facts.has(`due:${one}`) && !facts.has(`ok:${one}`)),
  };
}
