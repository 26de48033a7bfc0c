import type { ReservedJob } from '../../contracts/queue-driver.js';
import { readable } from '../stored-text.js';
import { bodyOf } from './kept-body.js';
import { placeOf, tokenOf } from './lease-token.js';
import type { Reply } from './link.js';

/** What a claim asks for. */
export interface ClaimRequest {
  readonly queues: readonly string[];
  readonly limit: number;
  readonly leaseMs: number;
}

export interface Claimed {
  readonly jobs: ReservedJob[];
  /** In how many ms the clock alone makes the next one ready, where none was found. */
  readonly nextInMs?: number;
  /** Jobs whose bodies are gone. */
  readonly broken: readonly { readonly queue: string; readonly id: string }[];
}

/** The groups of the answer begin here; in front of them stand refusals, end of the leases, next moment, broken ones. */
const HEAD = 4;
const GROUP = 5;

/** Jobs as `claim` answers them. @param queues as they stand in the keys */
export function claimedOf(answer: readonly Reply[], queues: readonly string[], nonce: string): Claimed {
  const leasedUntil = answer[1] as number;
  const nextInMs = answer[2] as number;
  const jobs: ReservedJob[] = [];
  for (let at = HEAD; at < answer.length; at += GROUP) {
    const queue = queues[(answer[at] as number) - 1]!;
    const priority = answer[at + 1] as number;
    const ids = answer[at + 2] as readonly string[];
    const bodies = answer[at + 3] as readonly string[];
    const special = answer[at + 4] as readonly (string | number)[];
    let next = 0;
    for (let place = 0; place < ids.length; place += 1) {
      const id = readable(ids[place]!);
      const token = tokenOf(nonce, jobs.length + 1);
      const body = bodyOf(bodies[place]!, id);
      // Nearly all are like this: one shape, and nothing looked up.
      if (special[next] !== place) {
        jobs.push({ id, queue, body, priority, attempts: 1, stalls: 0, token, leasedUntil });
        continue;
      }
      const attempts = (special[next + 1] as number) + 1;
      const stalls = special[next + 2] as number;
      const memo = special[next + 3] as string;
      next += 4;
      jobs.push({ id, queue, body, priority, attempts, stalls, token, leasedUntil, ...memoOf(memo) });
    }
  }
  return { jobs, broken: brokenOf(answer[3]!, queues), ...(nextInMs >= 0 && { nextInMs }) };
}

function memoOf(memo: string): { memo?: string } {
  return memo === '' ? {} : { memo: readable(memo) };
}

function brokenOf(list: Reply, queues: readonly string[]): { queue: string; id: string }[] {
  const broken: { queue: string; id: string }[] = [];
  if (!Array.isArray(list)) return broken;
  for (let at = 0; at < list.length; at += 2) {
    broken.push({ queue: queues[(list[at] as number) - 1]!, id: readable(list[at + 1] as string) });
  }
  return broken;
}

/** How many parts a job has in the answer of the script that looks for the jobs of a lost claim. */
const RECLAIMED = 8;

/** Jobs in the order in which they were claimed. */
export function reclaimedOf(answer: readonly Reply[], queues: readonly string[]): ReservedJob[] {
  const found: { place: number; job: ReservedJob }[] = [];
  for (let at = 1; at < answer.length; at += RECLAIMED) {
    const [number, stored, token, body, priority, attempts, stalls, memo] = answer.slice(at, at + RECLAIMED) as [
      number,
      string,
      string,
      string,
      number,
      number,
      number,
      string,
    ];
    const id = readable(stored);
    const job: ReservedJob = {
      id,
      queue: queues[number - 1]!,
      body: bodyOf(body, id),
      priority,
      attempts: attempts + 1,
      stalls,
      token,
      leasedUntil: answer[0] as number,
      ...memoOf(memo),
    };
    found.push({ place: placeOf(token), job });
  }
  return found.sort((a, b) => a.place - b.place).map(({ job }) => job);
}
