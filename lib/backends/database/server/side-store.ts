import type { Link } from './link.js';

/** Runs the work of stores that are not queues on a connection of the queue's own. */
export interface SideStore {
  /** Work that may be repeated: it reads, or a repeat changes nothing more. Conflicts and lost connections are tried again. */
  read<T>(work: (link: Link) => Promise<T>): Promise<T>;
  /**
   * One transaction, tried again as a whole after a conflict and after a lost connection. Where only the answer to its COMMIT was lost,
   * the repeat is what answers: it finds done what it was to do.
   */
  write<T>(work: (link: Link) => Promise<T>): Promise<T>;
}
