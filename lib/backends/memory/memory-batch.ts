import type {
  BatchCallback,
  BatchProgress,
  BatchRecord,
  MemberEnd,
  MemberPage,
  MemberState,
  NewBatch,
} from '../../contracts/batch-store.js';

type Change = { counted?: boolean; started?: boolean; finished?: boolean; cancelled?: boolean };

/** One batch and its members. */
export class MemoryBatch {
  readonly #members = new Map<string, MemberState>();
  readonly #endedAt = new Map<string, number>();
  readonly #failed = new Set<string>();
  /** When each callback became due. */
  readonly #dueAt = new Map<BatchCallback, number>();
  readonly #confirmed = new Set<BatchCallback>();
  #pending = 0;
  #ended = 0;
  #sealed: boolean;
  #cancelledAt: number | undefined;
  #finishedAt: number | undefined;

  constructor(
    private readonly made: NewBatch,
    readonly createdAt: number,
  ) {
    this.#sealed = made.sealed;
    this.#join(made.memberIds);
    this.#conclude(createdAt);
  }

  get cancelledAt(): number | undefined {
    return this.#cancelledAt;
  }

  get finishedAt(): number | undefined {
    return this.#finishedAt;
  }

  /** False when the batch has finished and takes no more. */
  grow(memberIds: readonly string[], by: string | undefined): boolean {
    const running = by !== undefined && this.#members.get(by) === 'waiting';
    if (this.#finishedAt !== undefined && !running) return false;
    this.#join(memberIds);
    return true;
  }

  seal(now: number): BatchProgress {
    const counted = !this.#sealed;
    this.#sealed = true;
    return this.progress({ counted, finished: this.#conclude(now) });
  }

  end({ jobId, outcome, alsoEnded }: Omit<MemberEnd, 'batchId'>, now: number): BatchProgress | undefined {
    const before = this.#members.get(jobId);
    if (before === undefined) return undefined;
    if (before === outcome || before === 'done') return this.progress({});
    const started = this.#ended === 0;
    let cancelled = false;
    this.#members.set(jobId, outcome);
    this.#endedAt.set(jobId, now);
    if (before === 'waiting') this.#ended++;
    if (outcome === 'done') {
      this.#pending--;
      this.#failed.delete(jobId);
    } else {
      this.#failed.add(jobId);
      if (!this.#dueAt.has('catch')) this.#dueAt.set('catch', now);
      cancelled = this.made.cancelOnFailure && this.cancel(now);
    }
    for (const id of alsoEnded ?? []) {
      if (this.#members.get(id) !== 'waiting') continue;
      this.#members.set(id, 'behind');
      this.#endedAt.set(id, now);
      this.#ended++;
    }
    return this.progress({ counted: true, started, finished: this.#conclude(now), cancelled });
  }

  /** In the order in which they joined; the cursor is a place in it. */
  members({ limit, after }: { readonly limit: number; readonly after?: string }): MemberPage {
    const from = Number(after ?? 0);
    const members = [...this.#members].slice(from, from + limit).map(([id, state]) => {
      const endedAt = this.#endedAt.get(id);
      return { id, state, ...(endedAt !== undefined && { endedAt }) };
    });
    const at = from + members.length;
    return { members, ...(at < this.#members.size && { next: String(at) }) };
  }

  /** True when this call cancelled it. */
  cancel(now: number): boolean {
    if (this.#cancelledAt !== undefined) return false;
    this.#cancelledAt = now;
    return true;
  }

  confirm(callbacks: readonly BatchCallback[]): void {
    for (const callback of callbacks) this.#confirmed.add(callback);
  }

  /** Since when a callback waits for its confirmation. */
  get unconfirmedSince(): number | undefined {
    const moments = this.#due().map((callback) => this.#dueAt.get(callback)!);
    return moments.length === 0 ? undefined : Math.min(...moments);
  }

  progress({ counted = false, started = false, finished = false, cancelled = false }: Change): BatchProgress {
    return { batch: this.record(), counted, started, finished, cancelled, due: this.#due() };
  }

  record(): BatchRecord {
    return {
      id: this.made.id,
      name: this.made.name,
      options: this.made.options,
      totalJobs: this.#members.size,
      pendingJobs: this.#pending,
      failedJobs: this.#failed.size,
      endedJobs: this.#ended,
      failedJobIds: [...this.#failed],
      sealed: this.#sealed,
      createdAt: this.createdAt,
      cancelledAt: this.#cancelledAt,
      finishedAt: this.#finishedAt,
    };
  }

  #join(memberIds: readonly string[]): void {
    for (const id of memberIds) {
      if (this.#members.has(id)) continue;
      this.#members.set(id, 'waiting');
      this.#pending++;
    }
  }

  /** Sets what follows when all have ended, or all have succeeded. True when this finished the batch. */
  #conclude(now: number): boolean {
    if (!this.#sealed) return false;
    const finished = this.#finishedAt === undefined && this.#ended === this.#members.size;
    if (finished) {
      this.#finishedAt = now;
      this.#dueAt.set('finally', now);
    }
    const succeeded = this.#pending === 0 && this.#cancelledAt === undefined;
    if (succeeded && !this.#dueAt.has('then')) this.#dueAt.set('then', now);
    return finished;
  }

  #due(): BatchCallback[] {
    return [...this.#dueAt.keys()].filter((callback) => !this.#confirmed.has(callback));
  }
}
