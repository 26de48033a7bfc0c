import type {
  JobState,
  PushEntry,
  QueueSize,
  ReservedJob,
  Settlement,
  SettleResult,
  StoredJob,
} from '../../../contracts/queue-driver.js';
import type { WatchedJob } from '../../../contracts/backend.js';
import type { Tables } from '../table-names.js';
import type { Faults } from './faults.js';
import type { Flavour } from './flavour.js';
import type { Link, OwnLink } from './link.js';
import type { Component } from '../schema-component.js';

export interface ClaimRequest {
  readonly queues: readonly string[];
  readonly limit: number;
  readonly leaseMs: number;
  /** 128 random bits, new with every claim; each job's token begins with it. */
  readonly claim: string;
}

export interface Claimed {
  readonly jobs: readonly ReservedJob[];
  /** Ms from now until the next delayed job or expiring lease of these queues; known where nothing was taken. */
  readonly nextInMs?: number;
}

export interface MembersSettled {
  readonly settled: readonly SettleResult[];
  /** JSON of what `BatchRows.told` reads. Null: nobody waits for it. */
  readonly told: string | null;
}

/**
 * The statements on the jobs table, one module for each operation behind this interface. All of them take the server's clock. Rows are
 * locked and read in READ COMMITTED; none of the verbs opens a transaction, unless it says so.
 */
export interface QueueStatements {
  /** Makes ready what `insert` of the same array will send. Never throws. */
  prepare?(entries: readonly PushEntry[]): void;
  /**
   * Stores entries in the order given; their locks and `once` are the caller's business. True for those that are new.
   *
   * @param alone not within a transaction
   * @throws where one of them cannot be stored: nothing has been stored then
   */
  insert(link: Link, entries: readonly PushEntry[], alone?: boolean): Promise<readonly boolean[]>;
  /** Whether the id's row lives. */
  exists(link: Link, id: string): Promise<boolean>;
  /** Whether the id is not remembered; its place among those that are stays locked until the transaction ends. */
  isFirst(link: Link, id: string): Promise<boolean>;
  remember(link: Link, id: string, ttlMs: number): Promise<void>;
  /**
   * Takes what is due, expired leases (a stall more) included: by queue as given, priority, time, sequence. Atomic by itself; opens a
   * transaction where it takes several statements. Asks once and writes nothing where nothing is due.
   */
  claim(link: Link, request: ClaimRequest): Promise<Claimed>;
  /** The jobs that this claim took: its answer was lost. Their lease begins anew. */
  recover(link: Link, request: ClaimRequest): Promise<readonly ReservedJob[]>;
  /** Hands in settlements without effects. Atomic by itself. */
  settle(link: Link, settlements: readonly Settlement[]): Promise<readonly SettleResult[]>;
  /** Both in one commit, in one trip where the server can. */
  exchange(
    link: Link,
    settlements: readonly Settlement[],
    request: ClaimRequest,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly claimed: Claimed }>;
  /**
   * Acks of members of one batch that have succeeded, which count them in it by the same statement. Atomic by itself. Absent where a
   * server has no such statement.
   *
   * @throws a fault of a row where one of them had ended before: nothing was done then
   */
  settleMembers?(link: Link, settlements: readonly Settlement[], batch: string): Promise<MembersSettled>;
  /** `settleMembers` and a claim in one commit. Both are there, or none. */
  exchangeMembers?(
    link: Link,
    settlements: readonly Settlement[],
    batch: string,
    request: ClaimRequest,
  ): Promise<MembersSettled & { readonly claimed: Claimed }>;
  /** One settlement within an open transaction; its effects are left to the caller. */
  settleOne(link: Link, settlement: Settlement): Promise<SettleResult>;
  /** Acks within an open transaction. False where not all of them were held: the caller rolls back then. */
  ackWithin(link: Link, jobs: readonly WatchedJob[]): Promise<boolean>;
  /** A claim within an open transaction. */
  claimWithin(link: Link, request: ClaimRequest): Promise<Claimed>;
  renew(link: Link, jobs: readonly WatchedJob[], leaseMs: number): Promise<readonly SettleResult[]>;
  size(link: Link, queues: readonly string[]): Promise<readonly QueueSize[]>;
  /** Removes up to `limit` jobs of the queue with a sequence up to `last`, and gives their locks back. Atomic by itself. */
  clear(link: Link, queue: string, last: number, limit: number): Promise<number>;
  /** The highest sequence there is; 0 for none. */
  last(link: Link): Promise<number>;
  page(
    link: Link,
    queue: string,
    state: JobState,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly StoredJob[]; readonly next?: string }>;
  find(link: Link, id: string): Promise<StoredJob | undefined>;
  /** Notes the cancellation for its holder, and gives its lock back. Atomic by itself. */
  remove(link: Link, id: string): Promise<boolean>;
  queues(link: Link): Promise<readonly string[]>;
  /** Forgets what has expired in the side tables, some rows at a time. */
  tidy(link: Link): Promise<void>;
}

/** Tells waiting workers of other processes, and hears of them. */
export interface Bells {
  /** Hears until `off()`. `fresh`: pushes were not heard until now, so look once more before waiting. */
  listen(): { readonly fresh: boolean; off(): void };
  /** True while pushes of other processes are heard at once: polling is then a backstop. */
  readonly hearing: boolean;
  /** Something was committed into these queues; told at once, and then at most once a short interval. */
  announce(queues: Iterable<string>): void;
  /** The same for what commits with somebody else's transaction, soon. */
  announceSoon(queues: Iterable<string>): void;
  close(): Promise<void>;
}

/** What bells are made from. */
export interface BellServices {
  /** A name for the channel: the same for every process on these tables. */
  readonly channel: string;
  /** A connection of its own, for as long as anyone waits. */
  readonly openLink: () => Promise<OwnLink>;
  /** Runs work on a connection of the pool; failures may be ignored. */
  readonly use: <T>(work: (link: Link) => Promise<T>) => Promise<T>;
  /** Jobs may have become ready in this queue. `undefined`: in any. */
  readonly rung: (queue: string | undefined) => void;
}

/** A kind of server. */
export interface ServerDialect {
  readonly name: 'postgres' | 'mysql';
  readonly faults: Faults;
  readonly flavour: Flavour;
  /** As it stands in a statement. */
  quote(name: string): string;
  /** Laid over the application's DataSource options: a small pool of our own, its name, keep-alive, time limits. */
  ownOptions(options: Readonly<Record<string, unknown>>, own: OwnPool): Record<string, unknown>;
  /** Makes a link of what `QueryRunner.connect()` gave, and sets the session up. `release` gives the connection back. */
  link(connection: unknown, release: () => void): Promise<OwnLink>;
  /** The server is a replica, or was told to take no writes. */
  isReadOnly(link: Link): Promise<boolean>;
  statements(tables: Tables): QueueStatements;
  components(tables: Tables): readonly Component[];
  /** Absent where other processes can only be polled. */
  bells?(services: BellServices): Bells;
  /** The module that a watchdog thread loads, and the options it connects with: `undefined` where they cannot be cloned. */
  watch(options: Readonly<Record<string, unknown>>, tables: Tables): { entry: URL; data: unknown } | undefined;
}

export interface OwnPool {
  readonly applicationName: string;
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
}
