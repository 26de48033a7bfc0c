import type { Outgoing } from '../connections/outgoing.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import { BatchFinishedError } from '../contracts/batch-finished-error.js';
import type { BatchStore } from '../contracts/batch-store.js';
import { chunks } from '../support/chunks.js';
import { QueueError } from '../support/queue-error.js';
import type { BatchMember } from './pending-batch.js';
import type { Scope, ChainWriting } from './step-target.js';
import { writeMember, type WrittenMember } from './write-chain.js';

/** There is no such batch (any more). */
export class BatchMissingError extends QueueError {
  constructor(id: string) {
    super('ERR_QUEUE_BATCH_MISSING', `There is no batch ${id}: it has been deleted or pruned.`);
  }
}

/** Members stored in one go: so many are written down at once. */
const CHUNK = 1_000;
/** What may be sent again after a crash is known to its store for so long. */
const REMEMBERED_MS = 86_400_000;

/** Where a member goes. */
export interface PlacedMember {
  readonly connection: QueueConnection;
  readonly outgoing: Outgoing;
}

export interface FillingServices {
  readonly writing: ChainWriting;
  /** @throws QueueError for a place that there is not, and for a body that its store does not take */
  readonly place: (member: WrittenMember) => Promise<PlacedMember>;
}

/** Members to be sent: written down, or still to be, a group at a time. */
export type Members = Iterable<readonly WrittenMember[]>;

export interface SendOptions {
  /** The member that adds them. */
  readonly by?: string | undefined;
  /** They may be sent a second time, under the same ids. */
  readonly again?: boolean;
  /** Told of how many have been sent. */
  readonly sent?: (members: number) => void;
}

/** Writes members down, counts them in their batch, and sends them: so many at once, whatever there are. */
export class BatchFiller {
  constructor(private readonly services: FillingServices) {}

  /**
   * Everything that can be wrong is found before anything is stored. What is many is written anew when it is sent, a group at a time.
   *
   * @throws whatever is wrong with a member, saying which
   */
  async check(members: readonly BatchMember[], scope: Scope, refuse: (to: QueueConnection) => void): Promise<Members> {
    const kept: WrittenMember[] = [];
    const reached = new Set<QueueConnection>();
    for (const [index, member] of members.entries()) {
      try {
        const written = writeMember(member, scope, this.services.writing);
        const { connection, outgoing } = await this.services.place(written);
        if (!reached.has(connection)) {
          reached.add(connection);
          await connection.inTime(connection.queue());
          refuse(connection);
        }
        const refusal = connection.refusal(outgoing);
        if (refusal) throw refusal;
        if (members.length <= CHUNK) kept.push(written);
      } catch (error) {
        if (error instanceof Error) error.message = `Member number ${index} of the batch: ${error.message}`;
        throw error;
      }
    }
    return members.length <= CHUNK ? groups(kept) : this.#written(members, scope);
  }

  /** @throws BatchFinishedError, BatchMissingError, or the error of a store that did not take them */
  async send(store: BatchStore, id: string, members: Members, options: SendOptions = {}): Promise<void> {
    const { by, again = false, sent } = options;
    let count = 0;
    for (const group of members) {
      const growth = await store.grow(
        id,
        group.flatMap(({ ids }) => ids),
        by,
      );
      if (!growth) throw new BatchMissingError(id);
      if (!growth.grown) throw new BatchFinishedError(id);
      await this.#push(group, again);
      sent?.((count += group.length));
    }
  }

  async #push(members: readonly WrittenMember[], again: boolean): Promise<void> {
    const byConnection = new Map<QueueConnection, Outgoing[]>();
    for (const member of members) {
      const { connection, outgoing } = await this.services.place(member);
      const known = again ? { ...outgoing, entry: { ...outgoing.entry, once: { ttlMs: REMEMBERED_MS } } } : outgoing;
      const list = byConnection.get(connection);
      if (list) list.push(known);
      else byConnection.set(connection, [known]);
    }
    for (const [connection, outgoing] of byConnection) await sendTo(connection, outgoing);
  }

  *#written(members: readonly BatchMember[], scope: Scope): Generator<readonly WrittenMember[]> {
    for (let at = 0; at < members.length; at += CHUNK) {
      yield members.slice(at, at + CHUNK).map((member) => writeMember(member, scope, this.services.writing));
    }
  }
}

/** Members that are written down, in groups. */
export function groups(members: readonly WrittenMember[]): Members {
  return chunks(members, CHUNK);
}

async function sendTo(connection: QueueConnection, outgoing: readonly Outgoing[]): Promise<void> {
  const { storeless } = await connection.queue();
  if (storeless) {
    // Each runs within this, tells its failed() and the events, and counts in its batch: the others run all the same.
    for (const one of outgoing) await connection.push([one]).catch(() => undefined);
    return;
  }
  const results = await connection.push(outgoing);
  const failed = results.find((one) => !one.stored && one.reason === 'error');
  if (failed && !failed.stored) throw failed.error;
}
