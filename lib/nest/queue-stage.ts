import type { DispatchWatch } from '../bus/dispatch-watch.js';
import type { OpenTransactions } from '../bus/open-transactions.js';
import type { Prepared } from '../bus/prepared.js';
import type { ConnectionStage } from '../connections/connection-stage.js';
import type { EventHub } from '../connections/event-hub.js';
import type { JobRegistry } from '../job/job-registry.js';

/**
 * What the testing kit puts between a module and its stores: everything is checked and written down by the module itself, and only what
 * becomes of it then differs. No worker and no schedule starts by itself.
 */
export interface QueueStage extends ConnectionStage, DispatchWatch {
  /** The module that it is put into. */
  attach(module: {
    readonly hub: EventHub;
    readonly transactions: Pick<OpenTransactions<Prepared>, 'of'>;
    readonly registry: Pick<JobRegistry, 'explored' | 'find'>;
  }): void;
}
