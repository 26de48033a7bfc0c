import { type Keyspace, slotTag } from './keyspace.js';

/** Names kept: making a key costs more than looking it up. */
const KEPT = 10_000;

/** The keys that scripts are given, and which of them may be given together. */
export class QueueKeys {
  readonly #bases = new Map<string, string>();
  readonly #batches = new Map<string, string>();

  constructor(
    readonly keyspace: Keyspace,
    private readonly isCluster: boolean,
  ) {}

  base(queue: string): string {
    return kept(this.#bases, queue, (name) => this.keyspace.queue(name));
  }

  batch(id: string): string {
    return kept(this.#batches, id, (name) => this.keyspace.batch(name));
  }

  /** Keys of one group may be in one script. Without a cluster all are. */
  group(key: string): string {
    return this.isCluster ? slotTag(key) : '';
  }

  together(one: string, other: string): boolean {
    return !this.isCluster || slotTag(one) === slotTag(other);
  }
}

function kept(keys: Map<string, string>, name: string, make: (name: string) => string): string {
  let key = keys.get(name);
  if (key === undefined) {
    if (keys.size >= KEPT) keys.clear();
    keys.set(name, (key = make(name)));
  }
  return key;
}
