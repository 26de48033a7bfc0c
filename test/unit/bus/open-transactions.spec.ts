import { describe, expect, it } from '@jest/globals';
import { OpenTransactions } from '../../../lib/bus/open-transactions.js';

const turn = (ms = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Listener {
  [event: string]: ((event: object) => unknown) | undefined;
}

/** TypeORM's order of events, on a server: a QueryRunner has its connection to itself. */
class Runner {
  isTransactionActive = false;
  isReleased = false;
  depth = 0;
  constructor(private readonly source: Source) {}
  get manager(): object {
    return this;
  }
  async #tell(event: string): Promise<void> {
    await Promise.all(this.source.subscribers.map((one) => (one as Listener)[event]?.({ queryRunner: this })));
  }
  async startTransaction(): Promise<void> {
    this.isTransactionActive = true;
    await this.#tell('beforeTransactionStart');
    await turn();
    this.depth += 1;
    await this.#tell('afterTransactionStart');
  }
  async commitTransaction(): Promise<void> {
    await this.#tell('beforeTransactionCommit');
    await turn();
    this.isTransactionActive = --this.depth > 0;
    await this.#tell('afterTransactionCommit');
  }
  async rollbackTransaction(): Promise<void> {
    await this.#tell('beforeTransactionRollback');
    await turn();
    this.isTransactionActive = --this.depth > 0;
    await this.#tell('afterTransactionRollback');
  }
}

class Source {
  subscribers: object[] = [];
  async transaction<R>(work: (runner: Runner) => Promise<R>, runner = new Runner(this)): Promise<R> {
    await runner.startTransaction();
    try {
      const result = await work(runner);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    }
  }
}

function watched() {
  const source = new Source();
  const delivered: string[][] = [];
  const reported: unknown[] = [];
  const transactions = new OpenTransactions<string>(
    async (items) => {
      await turn();
      if (items.includes('bad')) throw new Error('not sent');
      delivered.push([...items]);
    },
    (_message, error) => void reported.push(error),
  );
  transactions.attach(source);
  const wait = (item: string): void => transactions.current()!.onCommit(item);
  return { source, delivered, reported, transactions, wait };
}

describe('OpenTransactions', () => {
  it('tells parallel transactions of one DataSource apart', async () => {
    const { source, delivered, transactions, wait } = watched();
    const managers = await Promise.all(
      [1, 2, 3].map((number) =>
        source.transaction(async (runner) => {
          wait(`${number}a`);
          await turn(5 * number);
          expect(transactions.current()?.manager).toBe(runner);
          wait(`${number}b`);
          return transactions.current()?.manager;
        }),
      ),
    );
    expect(new Set(managers).size).toBe(3);
    expect(delivered).toEqual([
      ['1a', '1b'],
      ['2a', '2b'],
      ['3a', '3b'],
    ]);
    expect(transactions.current()).toBeUndefined();
  });

  it('tells of what is dropped, savepoint by savepoint, before the rollback is over', async () => {
    const source = new Source();
    const told: string[] = [];
    const transactions = new OpenTransactions<string>(
      async (items) => void told.push(`sent ${items.join(' ')}`),
      () => undefined,
      async (items) => {
        await turn();
        told.push(`dropped ${items.join(' ')}`);
      },
    );
    transactions.attach(source);
    const wait = (item: string): void => transactions.current()!.onCommit(item);
    const rolledBack = async (work: () => Promise<void>, runner?: Runner): Promise<void> => {
      const whole = source.transaction(async () => {
        await work();
        throw new Error('rolled back');
      }, runner);
      await expect(whole).rejects.toThrow('rolled back');
    };
    await source.transaction(async (runner) => {
      wait('outer');
      await source.transaction(async () => {
        wait('kept');
        await rolledBack(async () => wait('innermost'), runner);
        expect(told).toEqual(['dropped innermost']);
      }, runner);
      await rolledBack(async () => {
        wait('inner');
        await source.transaction(async () => wait('committed within it'), runner);
      }, runner);
      expect(told).toEqual(['dropped innermost', 'dropped inner committed within it']);
    });
    expect(told.at(-1)).toBe('sent outer kept');
    await rolledBack(async () => wait('all'));
    expect(told.at(-1)).toBe('dropped all');
    await rolledBack(async () => undefined);
    expect(told).toHaveLength(4);
  });

  it('keeps savepoints that commit, and drops those that do not', async () => {
    const { source, delivered, wait } = watched();
    await source.transaction(async (runner) => {
      wait('outer');
      await source.transaction(async () => wait('inner'), runner);
      const lost = source.transaction(async () => {
        wait('dropped');
        throw new Error('inner');
      }, runner);
      await expect(lost).rejects.toThrow('inner');
      wait('outer again');
      expect(delivered).toEqual([]);
    });
    expect(delivered).toEqual([['outer', 'inner', 'outer again']]);
  });

  it('does not end before what it holds, and is not failed by it', async () => {
    const { source, transactions } = watched();
    const order: string[] = [];
    await source.transaction(async () => {
      const held = turn(10).then(() => void order.push('held'));
      void transactions.current()!.hold(held);
      transactions
        .current()!
        .hold(Promise.reject(new Error('failed')))
        .catch(() => order.push('failed'));
    });
    expect([...order, 'committed']).toEqual(['failed', 'held', 'committed']);
  });

  it('reports what cannot be delivered: the transaction has committed', async () => {
    const { source, reported, wait } = watched();
    await expect(source.transaction(async () => wait('bad')).then(() => 'committed')).resolves.toBe('committed');
    expect(reported).toEqual([new Error('not sent')]);
  });

  it('a runner released in the middle of its transaction leaves nothing open', async () => {
    const { source, transactions } = watched();
    const runner = new Runner(source);
    await runner.startTransaction();
    expect(transactions.current()).toBeDefined();
    runner.isReleased = true;
    expect(transactions.current()).toBeUndefined();
  });

  it('listens once however often it is told to, anew after an initialize(), and not after detach()', () => {
    const { source, transactions } = watched();
    transactions.attach(source);
    expect(source.subscribers).toHaveLength(1);
    source.subscribers = [];
    transactions.attach(source);
    expect(source.subscribers).toHaveLength(1);
    transactions.detach();
    expect(source.subscribers).toEqual([]);
  });
});
