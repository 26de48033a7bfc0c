import { randomUUID } from 'node:crypto';
import type { JobLocks } from '../connections/job-locks.js';
import type { Prepared } from './prepared.js';

/** Of a dispatch that several processes make, each under the same id. */
export interface DispatchOnce {
  /** A uuid. */
  readonly id: string;
  /** For so long a repeat is a no-op, whatever has become of the job. */
  readonly ttlMs: number;
  /** A lock that the job holds until it has ended; while another one has it, nothing is sent. */
  readonly lockKey?: string;
}

/** Whether this process is the one to send it, where the connection keeps nothing that could know: a lock knows then. */
export async function isFirst(
  { connection, receipt }: Prepared,
  once: DispatchOnce,
  locks: JobLocks,
): Promise<boolean> {
  const { storeless } = await connection.inTime(connection.queue());
  if (storeless !== true) return true;
  const { store } = await locks.place(connection.name);
  return connection.inTime(store.acquire(`once:${receipt.id}`, randomUUID(), once.ttlMs));
}
