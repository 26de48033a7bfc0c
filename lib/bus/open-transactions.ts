import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { LostEnds } from './lost-ends.js';

/** What is used of a TypeORM DataSource, by shape. */
export interface TransactionalDataSource {
  /** TypeORM replaces the list when the DataSource is initialized. */
  readonly subscribers: readonly object[];
  readonly manager?: object;
}

interface TransactionEvent {
  readonly queryRunner: RunnerLike;
}

interface RunnerLike {
  readonly manager: unknown;
  readonly isTransactionActive: boolean;
  readonly isReleased?: boolean;
}

type TransactionMethod = (...args: unknown[]) => unknown;

/** A transaction that is open around the caller. */
export interface OpenTransaction<T> {
  /** Its EntityManager. */
  readonly manager: unknown;
  /** Keeps it from ending before `work` has settled: what runs on its connection would otherwise slip out of it. */
  hold<R>(work: Promise<R>): Promise<R>;
  /** Handed over when the outermost transaction commits; dropped when this one, or one around it, rolls back. */
  onCommit(item: T): void;
}

class Transaction<T> implements OpenTransaction<T> {
  #started = false;
  /** Of the same connection: this one is a savepoint in it. */
  #parent: Transaction<T> | undefined;
  readonly #held = new Set<Promise<unknown>>();
  items: T[] = [];

  constructor(
    readonly runner: RunnerLike,
    /** What was open around it when it began. */
    private outer: Transaction<T> | undefined,
  ) {}

  get manager(): unknown {
    return this.runner.manager;
  }

  hold<R>(work: Promise<R>): Promise<R> {
    this.#held.add(work);
    const settled = (): void => void this.#held.delete(work);
    work.then(settled, settled);
    return work;
  }

  async settled(): Promise<void> {
    while (this.#held.size > 0) await Promise.allSettled(this.#held);
  }

  onCommit(item: T): void {
    this.items.push(item);
  }

  /** Only now: a BEGIN that the database refuses leaves nothing behind. */
  start(parent: Transaction<T> | undefined): void {
    this.#started = true;
    this.#parent = parent;
  }

  end(): T[] {
    const { items } = this;
    this.#started = false;
    this.items = [];
    // What has ended keeps only what is still open, or a loop of transactions would grow a chain.
    this.#parent = this.#parent?.open();
    this.outer = this.outer?.open();
    return items;
  }

  /** The innermost one that is open and fits. */
  find(fits: (manager: unknown) => boolean): Transaction<T> | undefined {
    if (this.#started && this.runner.isReleased !== true && fits(this.manager)) return this;
    return this.#parent?.find(fits) ?? this.outer?.find(fits);
  }

  /** The innermost one that is open. */
  open(): Transaction<T> | undefined {
    if (this.#started && this.runner.isReleased !== true) return this;
    return this.#parent?.open() ?? this.outer?.open();
  }
}

/**
 * Knows the TypeORM transaction that the current code runs in, however it was opened: `transaction()`, a QueryRunner, savepoints, the one
 * that `save()` opens by itself. Code beside it, such as another request on the same DataSource, is not inside.
 */
export class OpenTransactions<T> {
  readonly #around = new AsyncLocalStorage<Transaction<T> | undefined>();
  /** Innermost last. */
  readonly #stacks = new WeakMap<RunnerLike, Transaction<T>[]>();
  readonly #attached = new Map<
    TransactionalDataSource,
    { readonly subscribers: object[]; readonly undo: () => void }
  >();

  /**
   * @param deliver takes what waited, once the outermost transaction has committed and before the call that committed it resolves
   * @param report told of what `deliver` throws: the caller's transaction has committed, so it must not fail
   */
  constructor(
    private readonly deliver: (items: readonly T[]) => Promise<void>,
    private readonly report: (message: string, error: unknown) => void,
    /** Told of what waited in a transaction, or a savepoint, that was rolled back, before the call that did so resolves. */
    private readonly drop: (items: readonly T[]) => Promise<void> = () => Promise.resolve(),
    /** Told of what waited for a commit that got no answer: the connection was lost, and nobody knows how it ended. */
    private readonly lose: (items: readonly T[]) => Promise<void> = drop,
  ) {}

  /** The innermost open transaction around the caller. */
  current(): OpenTransaction<T> | undefined {
    return this.#around.getStore()?.open();
  }

  /** The innermost open transaction around the caller whose EntityManager fits. */
  find(fits: (manager: unknown) => boolean): OpenTransaction<T> | undefined {
    return this.#around.getStore()?.find(fits);
  }

  /** The innermost open transaction of an EntityManager, wherever its caller is. */
  of(manager: unknown): OpenTransaction<T> | undefined {
    const { queryRunner } = (manager ?? {}) as { readonly queryRunner?: RunnerLike };
    return queryRunner && this.#stacks.get(queryRunner)?.at(-1);
  }

  /** Listens to a DataSource from now on. Any number of times; again after an `initialize()`, which forgets those who listen. */
  attach(dataSource: TransactionalDataSource): void {
    const { subscribers } = dataSource as { subscribers?: unknown };
    if (!Array.isArray(subscribers)) return;
    const attached = this.#attached.get(dataSource);
    if (attached?.subscribers === subscribers) return;
    attached?.undo();
    subscribers.push(this.#subscriber);
    const unfence = this.#fence(dataSource.manager);
    const undo = (): void => {
      const at = subscribers.indexOf(this.#subscriber);
      if (at !== -1) subscribers.splice(at, 1);
      unfence();
    };
    this.#attached.set(dataSource, { subscribers, undo });
  }

  /** Listens to none any more: a DataSource may outlive the module. */
  detach(): void {
    for (const { undo } of this.#attached.values()) undo();
    this.#attached.clear();
    this.#ends.close();
  }

  readonly #ends = new LostEnds();

  readonly #subscriber = {
    // Called within the caller's own turn, so what is entered here holds for everything the caller does behind it.
    beforeTransactionStart: ({ queryRunner }: TransactionEvent): void => {
      this.#around.enterWith(new Transaction(queryRunner, this.#around.getStore()?.open()));
    },
    afterTransactionStart: ({ queryRunner }: TransactionEvent): void => {
      const begun = this.#around.getStore();
      if (begun?.runner !== queryRunner) return;
      const stack = this.#stacks.get(queryRunner) ?? [];
      this.#stacks.set(queryRunner, stack);
      begun.start(stack.at(-1));
      stack.push(begun);
    },
    beforeTransactionCommit: ({ queryRunner }: TransactionEvent): Promise<void> | undefined =>
      this.#ending(queryRunner, this.lose),
    beforeTransactionRollback: ({ queryRunner }: TransactionEvent): Promise<void> | undefined =>
      this.#ending(queryRunner, this.drop),
    afterTransactionCommit: ({ queryRunner }: TransactionEvent): Promise<void> | undefined => {
      const items = this.#ended(queryRunner);
      const around = this.#stacks.get(queryRunner)?.at(-1);
      if (around) around.items.push(...items);
      else if (items.length > 0) return this.#committed(items);
      return undefined;
    },
    afterTransactionRollback: ({ queryRunner }: TransactionEvent): Promise<void> | undefined => {
      const items = this.#ended(queryRunner);
      return items.length > 0 ? this.#dropped(items) : undefined;
    },
  };

  /** @param lost told of what waits, where no answer comes */
  #ending(runner: RunnerLike, lost: (items: readonly T[]) => Promise<void>): Promise<void> | undefined {
    const stack = this.#stacks.get(runner);
    const one = stack?.at(-1);
    if (!stack || !one) return undefined;
    return one.settled().then(() => {
      if (stack.length > 1 || one.items.length === 0) return;
      const isOpen = (): boolean => stack.includes(one);
      const isGone = (): boolean => runner.isReleased === true;
      this.#ends.watch(runner, isOpen, isGone, () => {
        const items = stack.splice(0).flatMap((each) => each.end());
        void this.#told(() => lost(items));
      });
    });
  }

  /** What the innermost one gathered. With the outermost everything ends, whatever order the others were left in. */
  #ended(runner: RunnerLike): T[] {
    const stack = this.#stacks.get(runner) ?? [];
    this.#ends.ended(runner);
    const ended = runner.isTransactionActive ? stack.splice(-1) : stack.splice(0);
    return ended.flatMap((one) => one.end());
  }

  async #committed(items: readonly T[]): Promise<void> {
    try {
      await this.deliver(items);
    } catch (error) {
      this.report('What waited for a commit could not be sent', error);
    }
  }

  #dropped(items: readonly T[]): Promise<void> {
    return this.#told(() => this.drop(items));
  }

  async #told(tell: () => Promise<void>): Promise<void> {
    try {
      await tell();
    } catch (error) {
      this.report('What waited for a commit was not all given back after the rollback', error);
    }
  }

  /**
   * Keeps `transaction()` from marking the code that calls it: with `Promise.all([dataSource.transaction(…), bus.dispatch(…)])` the
   * dispatch is beside the transaction. A QueryRunner's `startTransaction()` has to mark its caller.
   */
  #fence(given: object | undefined): () => void {
    const manager = given as { transaction?: TransactionMethod } | undefined;
    const transaction = manager?.transaction;
    if (!manager || typeof transaction !== 'function') return () => undefined;
    const own = Object.getOwnPropertyDescriptor(manager, 'transaction');
    const fenced: TransactionMethod = function (this: unknown, ...args) {
      // Not AsyncLocalStorage.run(): with the store that is there already it opens no scope.
      return new AsyncResource('Transaction').runInAsyncScope(() => transaction.apply(this, args));
    };
    manager.transaction = fenced;
    return () => {
      // Somebody else has wrapped it since: theirs stays.
      if (manager.transaction !== fenced) return;
      if (own) Object.defineProperty(manager, 'transaction', own);
      else delete manager.transaction;
    };
  }
}
