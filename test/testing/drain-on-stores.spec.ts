import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Job, Queueable, QueueBus, QueueModule, Tries } from 'nestjs-queue';
import { Test, type TestingModule } from '@nestjs/testing';
import { drain, runJob } from 'nestjs-queue/testing';
import { onStores } from '../flows/on-stores.js';

let ran: string[] = [];

@Job()
@Tries(2)
class Step extends Queueable {
  constructor(readonly label: string) {
    super();
  }
  handle(): void {
    ran.push(this.label);
    if (this.label === 'fails') throw new Error('no');
  }
}

onStores('drain', (connection) => {
  let moduleRef: TestingModule;

  beforeEach(async () => {
    ran = [];
    const connections = { store: connection() as never };
    moduleRef = await Test.createTestingModule({
      imports: [QueueModule.forRoot({ default: 'store', connections })],
      providers: [Step],
    })
      .setLogger({ log() {}, error() {}, warn() {} })
      .compile();
  });
  afterEach(() => moduleRef.close());

  it('works everything that is due, with what follows it', async () => {
    const bus = moduleRef.get(QueueBus);
    await bus
      .chain([new Step('1'), new Step('2').onQueue('other'), new Step('fails')])
      .catch(new Step('caught'))
      .dispatch();
    await bus
      .batch([new Step('m1'), new Step('m2')])
      .finally(new Step('finally'))
      .dispatch();
    await bus.dispatch(new Step('later')).delay('1h');
    const attempts = await drain(moduleRef);
    expect(ran.toSorted()).toEqual(['1', '2', 'caught', 'fails', 'fails', 'finally', 'm1', 'm2']);
    expect(
      attempts.filter(({ outcome }) => outcome !== 'done').map(({ attempts: n, outcome }) => [n, outcome]),
    ).toEqual([
      [1, 'retry'],
      [2, 'failed'],
    ]);
    expect(await runJob(moduleRef, new Step('fails'), { attempts: 2 })).toMatchObject({ outcome: 'failed' });
  }, 30_000);
});
