import type { JobState, StoredJob } from '../../contracts/queue-driver.js';
import { readable } from '../stored-text.js';
import { momentOfId } from './fresh-id.js';
import { bodyOf } from './kept-body.js';
import type { Arg } from './link.js';

/** What the scripts tell of one job. */
const FIELDS = 7;

/** Jobs as `tell_jobs` tells them. */
export function storedJobs(told: readonly Arg[], queue: string, state: JobState): readonly StoredJob[] {
  const jobs: StoredJob[] = [];
  for (let at = 0; at < told.length; at += FIELDS) {
    const [storedId, body, priority, attempts, stalls, since, moment] = told.slice(at, at + FIELDS) as [
      string,
      string,
      ...Arg[],
    ];
    const id = readable(storedId);
    const isReserved = state === 'reserved';
    const availableAt = state === 'delayed' ? moment : since === '' ? momentOfId(id) : since;
    jobs.push({
      id,
      queue,
      body: bodyOf(body, id),
      priority: Number(priority),
      // The pick-up that goes on is counted when it ends.
      attempts: Number(attempts) + Number(isReserved),
      stalls: Number(stalls),
      state,
      availableAt: Number(availableAt ?? 0),
      ...(isReserved ? { leasedUntil: Number(moment) } : {}),
    });
  }
  return jobs;
}
