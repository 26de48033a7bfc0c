import type { InspectAbility, JobState, ReservedJob, StoredJob } from 'nestjs-queue';
import type { FiledJob, JobFiles } from './job-files.js';
import { digits, isFree, priorityOf, type Ticket } from './ticket.js';

/** How long the holder of a removed job is told that it was. */
const CANCELLED_MS = 86_400_000;

/** A look at the jobs without taking them, and the removal of single ones. */
export class FileInspection implements InspectAbility {
  constructor(private readonly files: JobFiles) {}

  async page(queue: string, state: JobState, { limit, cursor = '' }: { limit: number; cursor?: string }) {
    const rest = this.files
      .list(queue)
      .filter((ticket) => this.#stateOf(ticket) === state)
      .map((ticket) => ({ ticket, key: keyOf(ticket, state) }))
      .filter(({ key }) => key > cursor)
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const page = rest.slice(0, limit);
    const jobs = page.map(({ ticket }) => this.#shown(this.files.read(queue, ticket), ticket));
    return { jobs, ...(rest.length > limit && { next: page.at(-1)!.key }) };
  }

  async find(id: string): Promise<StoredJob | undefined> {
    const found = this.files.find(id);
    return found && this.#shown(...found);
  }

  async remove(id: string): Promise<boolean> {
    const found = this.files.find(id);
    if (!found) return false;
    const [{ queue }, ticket] = found;
    if (ticket.lease) this.files.mark(`cancelled.${ticket.lease.token}`, CANCELLED_MS);
    return this.files.end(queue, ticket);
  }

  async queues(): Promise<readonly string[]> {
    return this.files.queues();
  }

  #stateOf(ticket: Ticket): JobState {
    const now = this.files.now();
    return isFree(ticket, now) ? 'pending' : ticket.lease ? 'reserved' : 'delayed';
  }

  #shown({ id, queue, body }: FiledJob, ticket: Ticket): StoredJob {
    const { attempts, stalls, availableAt, lease } = ticket;
    const state = this.#stateOf(ticket);
    const until = state === 'reserved' ? { leasedUntil: lease!.until } : {};
    return { id, queue, body, priority: priorityOf(ticket), attempts, stalls, state, availableAt, ...until };
  }
}

export function isCancelled(files: JobFiles, { token }: ReservedJob): boolean {
  // It becomes a part of a path.
  return /^[0-9a-f]{32}$/.test(token) && files.marked(`cancelled.${token}`);
}

/** Sorts the pages: as jobs are to be taken, or by the time that their state ends. */
function keyOf({ order, job, availableAt, lease }: Ticket, state: JobState): string {
  const ends = state === 'pending' ? '' : digits(state === 'delayed' ? availableAt : lease!.until, 14);
  return [ends, order, job].join('.');
}
