import type { Backend, BackendContext } from '../contracts/backend.js';
import type { Outgoing } from './outgoing.js';

/** A store that is about to be made for a connection, for the outbox of one, or for what has no connection. */
export interface StagedStore {
  readonly connection: string;
  readonly driver: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly context: BackendContext;
  /** It is a driver of this package: making its store opens nothing. */
  readonly builtIn: boolean;
  /** Makes the real one. */
  readonly make: () => Promise<Backend>;
}

/** What a test puts between connections and their stores. */
export interface ConnectionStage {
  /** Gives the store in place of the real one, or in front of it. */
  backend(store: StagedStore): Promise<Backend>;
  /** Told of jobs right before they are handed to a store. */
  sending(outgoing: readonly Outgoing[]): void;
}
