import { viaOf, type JobLocks } from '../connections/job-locks.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { firstMark } from '../job/lock-key.js';

/**
 * Whether a newer dispatch has taken a debounced job's place. Ids are ordered by time: a token older than the job is of a dispatch before
 * it, whose successor was stored and killed before it could say so. In doubt the job runs, so that the last one of a burst always does.
 */
export async function superseded(
  { debounce }: JobEnvelope,
  job: { readonly id: string; readonly connection: string; readonly displayName: string },
  locks: JobLocks,
  report: (message: string, error: unknown) => void,
): Promise<boolean> {
  if (!debounce) return false;
  try {
    const { store } = await locks.place(job.connection, viaOf(debounce));
    const owner = await store.owner(debounce.key);
    if (owner !== undefined && owner > job.id) return true;
    // With this one the burst is over.
    if (debounce.first && debounce.key.startsWith('debounce:')) await store.forceRelease(firstMark(debounce.key));
  } catch (error) {
    report(`${job.displayName} [${job.id}] runs without knowing whether a newer one has taken its place`, error);
  }
  return false;
}
