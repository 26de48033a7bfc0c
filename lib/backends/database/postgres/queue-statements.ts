import type { QueueStatements } from '../server/dialect.js';
import type { Tables } from '../table-names.js';
import { Claiming, ClaimStatements } from './claim.js';
import { ClearStatements } from './clear.js';
import { ExchangeStatements } from './exchange.js';
import { InspectStatements } from './inspect.js';
import { PushStatements } from './push.js';
import { SettleStatements } from './settle.js';
import { SizeStatements } from './size.js';
import { TidyStatements } from './tidy.js';

/** The statements on the jobs table, a module for each operation. */
export function postgresStatements(tables: Tables): QueueStatements {
  const pushes = new PushStatements(tables);
  const claiming = new Claiming();
  const claims = new ClaimStatements(tables, claiming);
  const settles = new SettleStatements(tables);
  const exchanges = new ExchangeStatements(tables, settles, claims, claiming);
  const sizes = new SizeStatements(tables);
  const inspection = new InspectStatements(tables);
  const clearing = new ClearStatements(tables);
  const tidying = new TidyStatements(tables);
  return {
    prepare: (entries) => pushes.prepare(entries),
    insert: (link, entries, alone) => pushes.insert(link, entries, alone),
    exists: (link, id) => pushes.exists(link, id),
    isFirst: (link, id) => pushes.isFirst(link, id),
    remember: (link, id, ttlMs) => pushes.remember(link, id, ttlMs),
    claim: (link, request) => claims.claim(link, request),
    claimWithin: (link, request) => claims.claimWithin(link, request),
    recover: (link, request) => claims.recover(link, request),
    settle: (link, settlements) => settles.settle(link, settlements),
    settleOne: async (link, settlement) => (await settles.settle(link, [settlement]))[0]!,
    ackWithin: async (link, jobs) =>
      (
        await settles.settle(
          link,
          jobs.map((job) => ({ kind: 'ack', job })),
        )
      ).every(({ ok }) => ok),
    renew: (link, jobs, leaseMs) => settles.renew(link, jobs, leaseMs),
    exchange: (link, settlements, request) => exchanges.exchange(link, settlements, request),
    settleMembers: (link, settlements, batch) => settles.settleMembers(link, settlements, batch),
    exchangeMembers: (link, settlements, batch, request) => exchanges.exchange(link, settlements, request, batch),
    size: (link, queues) => sizes.size(link, queues),
    clear: (link, queue, last, limit) => clearing.clear(link, queue, last, limit),
    last: (link) => clearing.last(link),
    page: (link, queue, state, options) => inspection.page(link, queue, state, options),
    find: (link, id) => inspection.find(link, id),
    remove: (link, id) => inspection.remove(link, id),
    queues: (link) => inspection.queues(link),
    tidy: (link) => tidying.tidy(link),
  };
}
