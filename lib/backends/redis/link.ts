import type { Script } from './script.js';

/** What goes to the server: text as it is, numbers in decimal. */
export type Arg = string | number;

/** What comes back. */
export type Reply = string | number | null | readonly Reply[];

/** One command, or one script, with the first key that decides where it goes in a cluster. */
export type Order =
  | { readonly script: Script; readonly keys: readonly string[]; readonly args: readonly Arg[] }
  | { readonly command: string; readonly args: readonly Arg[] };

export interface Patience {
  /** How long all of it may take, ms. */
  readonly ms: number;
  readonly signal?: AbortSignal;
  /**
   * What a lost answer means. `'repeat'`: the same again changes nothing more, so it is sent again within the time. `'tell'`: once
   * something was sent, the caller is told that the outcome is unknown.
   */
  readonly lost: 'repeat' | 'tell';
}

/**
 * Orders to the servers of one connection. Whoever asks waits until the connection is there, within its patience; what a server cannot do
 * for the moment is asked for again.
 *
 * @throws StoreUnreachableError (with `outcome: 'unknown'` where the order may have been carried out), StoreRefusedError,
 *   StoreFullError, StoreClosedError; any other answer of the server as it said it
 */
export interface RedisLink {
  /** Every slot has servers of its own: an order's keys must share one. */
  readonly isCluster: boolean;
  run(script: Script, keys: readonly string[], args: readonly Arg[], patience: Patience): Promise<Reply>;
  /** A command by its name; the first argument is its first key, if it has one. */
  send(command: string, args: readonly Arg[], patience: Patience): Promise<Reply>;
  /** Sent in one go, answered in order. Not a transaction; on a cluster they may go to several servers. */
  all(orders: readonly Order[], patience: Patience): Promise<readonly Reply[]>;
}
