import { type Keyspace, slotTag } from './keyspace.js';

/** Names kept: making a key costs more than looking it up. */
const KEPT = 10_000;

/** The keys that scripts are given, and which of them may be given together. */
export class QueueKeys {
  readonly #bases = new Map<string, string>();

  constructor(
    readonly keyspace: Keyspace,
    private readonly isCluster: boolean,
  ) {}

  base(queue: string): string {
    let base = this.#bases.get(queue);
    if (base === undefined) {
      if (this.#bases.size >= KEPT) this.#bases.clear();
      this.#bases.set(queue, (base = this.keyspace.queue(queue)));
    }
    return base;
  }

  /** Keys of one group may be in one script. Without a cluster all are. */
  group(key: string): string {
    return this.isCluster ? slotTag(key) : '';
  }

  together(one: string, other: string): boolean {
    return !this.isCluster || slotTag(one) === slotTag(other);
  }
}
