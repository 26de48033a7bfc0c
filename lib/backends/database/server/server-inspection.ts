import type { ClearAbility, InspectAbility, JobState, StoredJob } from '../../../contracts/queue-driver.js';
import type { QueueStatements } from './dialect.js';
import type { Link, OwnLink } from './link.js';

/** Jobs removed in one transaction. */
const CHUNK = 1_000;

type Reading = <T>(work: (link: OwnLink) => Promise<T>) => Promise<T>;

export class ServerInspection implements InspectAbility {
  constructor(
    private readonly statements: QueueStatements,
    private readonly use: Reading,
  ) {}

  page(
    queue: string,
    state: JobState,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly StoredJob[]; readonly next?: string }> {
    return this.use((link) => this.statements.page(link, queue, state, options));
  }

  find(id: string): Promise<StoredJob | undefined> {
    return this.use((link) => this.statements.find(link, id));
  }

  remove(id: string): Promise<boolean> {
    return this.use((link) => this.statements.remove(link, id));
  }

  queues(): Promise<readonly string[]> {
    return this.use((link: Link) => this.statements.queues(link));
  }
}

export class ServerClear implements ClearAbility {
  constructor(
    private readonly statements: QueueStatements,
    private readonly use: Reading,
  ) {}

  async clear(queue: string): Promise<number> {
    // What is pushed while this goes on stays.
    const last = await this.use((link) => this.statements.last(link));
    for (let gone = 0; ;) {
      const count = await this.use((link) => this.statements.clear(link, queue, last, CHUNK));
      gone += count;
      if (count === 0) return gone;
    }
  }
}
