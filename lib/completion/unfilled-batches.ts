import type { BatchRecord, BatchStore } from '../contracts/batch-store.js';
import type { Clock } from '../support/clock.js';
import type { BatchFollower } from './follow-batch.js';

/** A batch that is still being filled after so long is not filled any more. */
const UNFILLED_MS = 3_600_000;
const PAGE = 100;
/** Batches that are looked through: the newest. */
const LOOKED_AT = 1_000;
/** Members that are looked at in one go. */
const MEMBERS = 500;

const NEVER_SENT = 'The process that stored the batch ended before this member of it was sent.';

export interface UnfilledServices {
  readonly follower: Pick<BatchFollower, 'follow'>;
  /** Whether any of these jobs waits or runs anywhere, or may. */
  readonly alive: (ids: readonly string[]) => Promise<boolean>;
  readonly clock: Clock;
}

/**
 * Ends batches whose filling process has died. Such a batch is cancelled: what was sent of it runs, and `then` does not come. Members that
 * were counted and never sent would keep it open for ever; they are told by there being no other one left to wait for, twice in a row,
 * and have failed then.
 */
export class UnfilledBatches {
  /** Of batches that none of their members was found of the last time: how they stood. */
  #quiet = new Map<string, string>();

  constructor(private readonly services: UnfilledServices) {}

  /** Resolves with whether there are some to be looked at once more. */
  async close(store: BatchStore): Promise<boolean> {
    const before = this.services.clock.now() - UNFILLED_MS;
    const quiet = new Map<string, string>();
    let last: string | undefined;
    for (let seen = 0; seen < LOOKED_AT; seen += PAGE) {
      const page = await store.page({ limit: PAGE, ...(last !== undefined && { before: last }) });
      for (const batch of page) {
        if (batch.sealed || batch.createdAt >= before) continue;
        const stands = await this.#end(store, batch);
        if (stands !== undefined) quiet.set(batch.id, stands);
      }
      last = page.at(-1)?.id;
      if (page.length < PAGE) break;
    }
    this.#quiet = quiet;
    return quiet.size > 0;
  }

  /** @returns how it stands, where nothing of it was found and it is to be looked at once more */
  async #end(store: BatchStore, found: BatchRecord): Promise<string | undefined> {
    const { follower, alive } = this.services;
    const { id } = found;
    if (found.cancelledAt === undefined) {
      const batch = await store.cancel(id);
      if (!batch) return undefined;
      const nothing = { counted: false, started: false, finished: false, due: [] };
      await follower.follow({ ...nothing, batch, cancelled: true });
    }
    if (found.endedJobs < found.totalJobs) {
      const waiting: string[][] = [];
      for await (const some of waitingMembers(store, id)) {
        if (await alive(some)) return undefined;
        waiting.push(some);
      }
      const stands = `${found.endedJobs}/${found.totalJobs}`;
      // A member may have gone on to the next step of its chain between two looks.
      if (this.#quiet.get(id) !== stands) return stands;
      for (const [jobId, ...alsoEnded] of waiting) {
        const progress = await store.recordEnd(id, { jobId: jobId!, outcome: 'failed', alsoEnded });
        if (progress) await follower.follow(progress, new Error(NEVER_SENT));
      }
    }
    const progress = await store.seal(id);
    if (progress) await follower.follow(progress);
    return undefined;
  }
}

async function* waitingMembers(store: BatchStore, id: string): AsyncGenerator<string[]> {
  let after: string | undefined;
  do {
    const page = await store.members(id, { limit: MEMBERS, ...(after !== undefined && { after }) });
    const waiting = (page?.members ?? []).filter(({ state }) => state === 'waiting').map((member) => member.id);
    if (waiting.length > 0) yield waiting;
    after = page?.next;
  } while (after !== undefined);
}
