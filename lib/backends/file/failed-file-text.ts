import type { FailedJob } from '../../contracts/failed-job-store.js';

/** A record with its place, and its line as it stands in the file: what has not changed is not written down anew. */
export interface KeptFailure {
  readonly job: FailedJob;
  /** Epoch ms. */
  readonly at: number;
  /** Its place among those of one moment. */
  readonly seq: number;
  readonly line: string;
}

/** What the file held when it was read, or was made to hold. Not to be changed. */
export interface Contents {
  /** Newest first. */
  readonly kept: readonly KeptFailure[];
  /** The number of the last record there has been. */
  readonly last: number;
}

export function keptFailure(job: FailedJob, seq: number): KeptFailure {
  const { failedAt, ...rest } = job;
  return { job, at: failedAt.getTime(), seq, line: JSON.stringify({ seq, ...rest, failedAt: failedAt.toISOString() }) };
}

/** JSON, one line for each record, newest first. */
export function textOf({ kept, last }: Contents, stamp: string): string {
  const lines = kept.map(({ line }) => line).join(',\n');
  return `{"v":1,"stamp":"${stamp}","last":${last},"jobs":[\n${lines}\n]}\n`;
}

/** @throws where it is not what `textOf` writes */
export function recordsOf(text: string): Contents {
  // An empty file is one that somebody made for it.
  if (text.trim() === '') return { kept: [], last: 0 };
  const { v, last, jobs } = JSON.parse(text) as {
    readonly v?: unknown;
    readonly last?: unknown;
    readonly jobs?: unknown;
  };
  if (v !== 1 || !Array.isArray(jobs)) throw new Error('it is not a list of failed jobs that this version can read');
  const kept = jobs.map((one: unknown, at) => {
    if (!isRecord(one)) throw new Error(`record ${at + 1} of ${jobs.length} is none`);
    const { seq, failedAt, ...job } = one;
    return keptFailure({ ...job, failedAt: new Date(failedAt) }, seq);
  });
  kept.sort(newestFirst);
  return { kept, last: Math.max(Number(last) || 0, ...kept.map(({ seq }) => seq)) };
}

export function newestFirst(a: Pick<KeptFailure, 'at' | 'seq'>, b: Pick<KeptFailure, 'at' | 'seq'>): number {
  return b.at - a.at || b.seq - a.seq;
}

type Line = Omit<FailedJob, 'failedAt'> & { readonly seq: number; readonly failedAt: string };

const TEXTS = ['id', 'connection', 'queue', 'name', 'displayName', 'payload', 'exception', 'failedAt'] as const;

function isRecord(value: unknown): value is Line {
  if (typeof value !== 'object' || value === null) return false;
  const line = value as Partial<Record<keyof Line, unknown>>;
  if (!TEXTS.every((key) => typeof line[key] === 'string') || !Number.isSafeInteger(line.seq)) return false;
  if (line.batchId !== undefined && typeof line.batchId !== 'string') return false;
  return Number.isFinite(Date.parse(line.failedAt as string));
}
