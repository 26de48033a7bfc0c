import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import libsql from 'libsql';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import {
  DeleteWhenMissingEntities,
  EntityMissingError,
  FailedHookErrored,
  InvalidPayloadError,
  Job,
  JobFailed,
  JobReleasedAfterException,
  Queueable,
  UnknownJobError,
} from 'nestjs-queue';
import { closeApps, openApp, STORES, type Opened } from './open-app.js';

let ran: string[] = [];

@Job({ aliases: ['OldName', 'OlderName'] })
class Renamed extends Queueable {
  constructor(readonly word = 'good') {
    super();
  }
  handle() {
    ran.push(this.word);
  }
}

@Entity()
class Podcast {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) title!: string;
}
@Job()
class Publish extends Queueable {
  constructor(readonly podcast: Podcast) {
    super();
  }
  handle() {
    ran.push(this.podcast.title);
  }
  failed() {
    ran.push('failed()');
  }
}
@Job()
@DeleteWhenMissingEntities()
class PublishIfThere extends Publish {}

beforeEach(() => {
  ran = [];
});
afterEach(closeApps);

describe.each(STORES)('what a worker cannot run, on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: [Renamed] });
  });
  const failures = (): JobFailed[] => at.seen.filter((one): one is JobFailed => one instanceof JobFailed);
  const envelope = (more: object = {}): string =>
    JSON.stringify({
      v: 1,
      uuid: '6f1d2d0e-7d0a-4d3e-9a55-0d6c6a2f1b11',
      name: 'Nobody',
      displayName: 'Nobody',
      data: {},
      createdAt: 1,
      ...more,
    });

  it.each([
    ['no JSON', '{"v":1,'],
    ['nothing', ''],
    ['no object', '[1]'],
    ['another program’s', '{"type":"send","to":"café ☕"}'],
    ['no name', envelope({ name: '' })],
    ['a wrong shape', envelope({ maxTries: 'many' })],
    ['hostile text', `\u0000';DROP TABLE jobs;--\u2028${'x'.repeat(5_000)}`],
  ])('records a body that cannot be read with its bytes, and serves the next job: %s', async (_, body) => {
    const id = await at.manager.connection().pushRaw(body);
    await at.bus.dispatch(new Renamed());
    await at.drain();
    expect(ran).toEqual(['good']);
    expect(failures().map(({ error }) => error.constructor)).toEqual([InvalidPayloadError]);
    const [record, ...others] = await at.failed.all();
    expect(others).toEqual([]);
    expect(record).toMatchObject({ id, payload: body, queue: 'default', connection: store });
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('records what a newer version has written, and says so', async () => {
    await at.manager.connection().pushRaw(envelope({ v: 2 }));
    await at.drain();
    expect(failures()[0]!.error.message).toContain('newer version');
  });

  it('releases a name that nobody here knows, uncounted, and records it after unknownJobTries', async () => {
    await at.manager.connection().pushRaw(envelope());
    await at.workers.runNextJob({ sleep: 0, unknownJobTries: 2 });
    expect(at.seen.find((one) => one instanceof JobReleasedAfterException)).toMatchObject({ backoff: 10 });
    const [delayed] = await at.manager.connection().delayedJobs();
    expect(delayed).toMatchObject({ name: 'Nobody', attempts: 0 });
    expect(await at.failed.count()).toBe(0);

    await at.workers.runNextJob({ sleep: 0, unknownJobTries: 1, queues: ['other'] });
    expect(await at.failed.count()).toBe(0);
  });

  it('records it at once where unknownJobTries is 1', async () => {
    await at.manager.connection().pushRaw(envelope());
    await at.workers.runNextJob({ sleep: 0, unknownJobTries: 1 });
    expect(failures()[0]!.error).toBeInstanceOf(UnknownJobError);
    expect(await at.failed.count()).toBe(1);
  });

  it.each(['toString', '__proto__', 'constructor', 'hasOwnProperty'])(
    'a job named %s is just unknown',
    async (name) => {
      await at.manager.connection().pushRaw(envelope({ name }));
      await at.workers.runNextJob({ sleep: 0, unknownJobTries: 1 });
      expect(failures()[0]!.error).toBeInstanceOf(UnknownJobError);
    },
  );

  it.each(['Renamed', 'OldName', 'OlderName'])('runs a job that travels as %s', async (name) => {
    await at.manager.connection().pushRaw(envelope({ name, data: { word: name } }));
    await at.drain();
    expect(ran).toEqual([name]);
  });

  it('a body whose uuid is another job’s does not take over that job’s record', async () => {
    const id = await at.manager.connection().pushRaw('{broken');
    await at.drain();
    await at.manager.connection().pushRaw(envelope({ uuid: `x${id}`, name: 'Nobody' }));
    await at.workers.runNextJob({ sleep: 0, unknownJobTries: 1 });
    const ids = (await at.failed.all()).map((one) => one.id);
    expect(new Set(ids).size).toBe(2);
    expect(ids).not.toContain(`x${id}`);
  });
});

describe.each(STORES)('a missing entity, on %s', (store) => {
  let at: Opened;
  let podcast: Podcast;
  beforeEach(async () => {
    at = await openApp(store, {
      imports: [
        TypeOrmModule.forRoot({
          type: 'better-sqlite3',
          driver: libsql,
          database: ':memory:',
          entities: [Podcast],
          synchronize: true,
        }),
      ],
      providers: [Publish, PublishIfThere],
    });
    podcast = await at.app.get(DataSource).getRepository(Podcast).save({ title: 'One' });
    podcast = (await at.app.get(DataSource).getRepository(Podcast).findOneByOrFail({ id: podcast.id }))!;
  });
  const gone = async (job: Publish): Promise<string[]> => {
    await at.bus.dispatch(job);
    await at.app.get(DataSource).getRepository(Podcast).delete(podcast.id);
    at.names();
    await at.drain();
    return at.names();
  };

  it('is fetched anew when the job runs', async () => {
    await at.bus.dispatch(new Publish(podcast));
    await at.app.get(DataSource).getRepository(Podcast).update(podcast.id, { title: 'Two' });
    await at.drain();
    expect(ran).toEqual(['Two']);
  });

  it('fails the job, but for failed(), which has nothing to run on', async () => {
    expect(await gone(new Publish(podcast))).toEqual([
      'JobPopped',
      'JobProcessing',
      'JobFailed',
      'JobExceptionOccurred',
      'JobAttempted',
    ]);
    expect(at.seen.find((one) => one instanceof JobFailed)!.error).toBeInstanceOf(EntityMissingError);
    expect(at.seen.some((one) => one instanceof FailedHookErrored)).toBe(false);
    expect(ran).toEqual([]);
    expect(await at.failed.count()).toBe(1);
  });

  it('ends the job as done where it says so', async () => {
    expect(await gone(new PublishIfThere(podcast))).toEqual([
      'JobPopped',
      'JobProcessing',
      'JobProcessed',
      'JobAttempted',
    ]);
    expect(ran).toEqual([]);
    expect(await at.failed.count()).toBe(0);
    expect((await at.manager.connection().size()).total).toBe(0);
  });
});
