import { afterEach, expect, it } from '@jest/globals';
import { Job, Queueable } from 'nestjs-queue';
import { closeApps, openApp } from '../open-app.js';

let ran: string[] = [];
let release = (): void => undefined;

@Job()
class Step extends Queueable {
  constructor(readonly label: string) {
    super();
  }

  handle(): void {
    ran.push(this.label);
  }
}

/** Holds its slot. */
@Job()
class Holder extends Queueable {
  handle(): Promise<void> {
    ran.push('holder');
    return new Promise((resolve) => (release = resolve));
  }
}

afterEach(async () => {
  release();
  ran = [];
  await closeApps();
});

it('a member is settled while every slot is held, though its store was asked first', async () => {
  const app = await openApp('memory', { providers: [Step, Holder] });
  const { batches } = await app.manager.connection().backend();
  const find = batches!.find.bind(batches);
  // A store that is asked over a network: by its answer the slot belongs to the next job.
  batches!.find = async (id) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return find(id);
  };
  const batch = await app.bus
    .batch([new Step('member')])
    .progress(new Step('progress').onQueue('called'))
    .dispatch();
  await app.bus.dispatch(new Holder());
  const working = app.workers.work({ concurrency: 1 });
  const until = performance.now() + 1_500;
  while (performance.now() < until && !(await find(batch.id))!.finishedAt) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(ran).toEqual(['member', 'holder']);
  expect((await find(batch.id))!.endedJobs).toBe(1);
  expect(await app.manager.connection().size('called')).toMatchObject({ total: 1 });
  release();
  await app.workers.stop();
  await working;
});
