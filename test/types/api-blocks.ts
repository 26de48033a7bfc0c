// What users write, as the documented surface shows it. Nothing here runs: the test (api.spec.ts) is that it compiles, and that
// every line expected not to compile does not.
import { Inject, Injectable, Module } from '@nestjs/common';
import { registerAs } from '@nestjs/config';
import { OnEvent } from '@nestjs/event-emitter';
import type { EntityManager, DataSource } from 'typeorm';
import {
  AfterCommit,
  Backoff,
  Callable,
  DebounceFor,
  DeleteWhenMissingEntities,
  Encrypted,
  FailedJobs,
  FailOnTimeout,
  getQueueConnectionToken,
  Handle,
  InjectQueueConnection,
  Job,
  JOB_REF,
  JobFailed,
  JobProcessed,
  JobProcessing,
  Looping,
  MaxExceptions,
  Middleware,
  Queueable,
  QueueBus,
  queueConfig,
  QueueManager,
  QueueModule,
  runQueueCli,
  runWorker,
  ScheduledJob,
  Timeout,
  Tries,
  Unique,
  UniqueFor,
  UniqueUntilProcessing,
  Value,
  WithoutRelations,
  withoutRelations,
  WorkerService,
  type DispatchReceipt,
  type FailedJob,
  type JobContext,
  type JobMiddleware,
  type QueueConnection,
  type QueueModuleOptions,
  type QueueOptionsFactory,
  type StopReason,
  type WorkerOptions,
  type WorkerStatus,
} from 'nestjs-queue';

class Podcast {
  id = 1;
}
class AudioProcessor {
  encode(_podcast: Podcast, _options: { signal: AbortSignal }): Promise<void> {
    return Promise.resolve();
  }
}
interface Storage {
  put(name: string): void;
}
const STORAGE = Symbol('storage');

// ---- module ---------------------------------------------------------------------------------------------------------
@Module({ imports: [QueueModule.forRoot()] })
export class AppModule {}

declare const reports: DataSource;
export const options: QueueModuleOptions = {
  default: 'redis',
  connections: {
    sync: { driver: 'sync' },
    null: { driver: 'null' },
    deferred: { driver: 'deferred' },
    memory: { driver: 'memory' },
    database: {
      driver: 'database',
      dataSource: 'default',
      table: 'jobs',
      queue: 'default',
      retryAfter: 30,
      afterCommit: false,
    },
    reports: { driver: 'database', dataSource: reports, migrate: true, prefetch: 5 },
    file: { driver: 'database', dataSource: { type: 'better-sqlite3', database: './queue.sqlite' } },
    redis: {
      driver: 'redis',
      url: 'redis://localhost:6379',
      queue: 'default',
      retryAfter: 30,
      blockFor: 5,
      prefix: 'q',
    },
    sqs: {
      driver: 'sqs',
      region: 'eu-west-1',
      prefix: '',
      suffix: '',
      queue: 'q',
      endpoint: '',
      credentials: {},
      overflow: {},
    },
    beanstalkd: { driver: 'beanstalkd', host: 'localhost', port: 11300, queue: 'default', retryAfter: 60 },
    failover: { driver: 'failover', connections: ['redis', 'database'] },
  },
  failed: { driver: 'database', connection: 'database', table: 'failed_jobs' },
  batching: { driver: 'database', connection: 'database', table: 'job_batches' },
  locks: { connection: 'redis' },
  key: { current: 'k2', keys: { k1: '…', k2: '…' } },
  closures: { source: 'refuse' },
  worker: false,
  dispatchTimeout: '5s',
  maxPayload: 1_048_576,
  isGlobal: true,
};

@Injectable()
class QueueOptions implements QueueOptionsFactory {
  createQueueOptions(): QueueModuleOptions {
    return { default: 'memory' };
  }
}
const appConfig = registerAs('app', () => ({ queue: 'memory' }));
export const modules = [
  QueueModule.forRoot(options),
  QueueModule.forRootAsync({ useFactory: async () => ({ default: 'memory' }) }),
  QueueModule.forRootAsync({
    inject: [appConfig.KEY],
    useFactory: (config: { queue: string }) => ({ default: config.queue }),
  }),
  QueueModule.forRootAsync({ useClass: QueueOptions, isGlobal: false }),
  QueueModule.forRootAsync({ useExisting: QueueOptions }),
  QueueModule.forRootAsync(queueConfig.asProvider()),
];

// ---- jobs -----------------------------------------------------------------------------------------------------------
@Injectable()
class AuditMiddleware implements JobMiddleware<ProcessPodcast> {
  async handle(job: ProcessPodcast, next: () => Promise<void>, context: JobContext): Promise<void> {
    console.log(job.bitrate, context.attempts);
    await next();
  }
}

@Job()
@Tries(5)
@Backoff(1, 5, 10)
@Timeout(120)
@MaxExceptions(3)
@FailOnTimeout()
@UniqueFor(3600)
@Encrypted()
@DeleteWhenMissingEntities()
@WithoutRelations()
@AfterCommit()
@Middleware(AuditMiddleware, new AuditMiddleware())
export class ProcessPodcast extends Queueable {
  constructor(
    readonly podcast: Podcast,
    readonly bitrate = 128,
  ) {
    super();
  }

  uniqueId() {
    return String(this.podcast.id);
  }
  middleware() {
    return [new AuditMiddleware()];
  }
  retryUntil() {
    return new Date(Date.now() + 600_000);
  }
  tags() {
    return [`podcast:${this.podcast.id}`];
  }

  async handle(@Inject() audio: AudioProcessor, @Inject(STORAGE) storage: Storage) {
    await audio.encode(this.podcast, { signal: this.signal });
    storage.put(`${this.podcast.id}`);
    if (this.bitrate > 320) return this.release(60);
    if (this.bitrate < 0) return this.fail('cannot be mended');
    if (this.attempts() > 4) this.delete();
    const batch = await this.batch();
    console.log(this.context?.id, this.job?.queue, batch?.id, await this.batching());
  }

  async failed(error: Error | null) {
    console.log(error?.message);
  }
}

@Job({ name: 'feeds.refresh', aliases: ['RefreshFeed'], queue: 'feeds', connection: 'redis', delay: '10s' })
@Unique()
class RefreshFeed {
  tries = 5;
  constructor(readonly url: URL) {}
  backoff() {
    return [1, 5];
  }
  @Handle()
  handle(_audio: AudioProcessor, @Inject(JOB_REF) context: JobContext) {
    context.release('90s');
  }
  interrupted(signal: string) {
    console.log(signal);
  }
}

@Job({ inject: () => [AudioProcessor, STORAGE] })
@UniqueUntilProcessing('1h')
class Lazy {
  handle(audio: AudioProcessor, storage: Storage) {
    console.log(audio, storage);
  }
}

@Job()
@DebounceFor(30, { maxWait: 120 })
@ScheduledJob('0 * * * *', { timeZone: 'UTC', withoutOverlapping: true })
class A extends Queueable {
  constructor(readonly number = 0) {
    super();
  }
  @Inject() private readonly audio!: AudioProcessor;
  handle() {
    console.log(this.audio);
  }
}

@Value('money')
export class Money {
  constructor(readonly cents: number) {}
  static fromJSON(json: { cents: number }) {
    return new Money(json.cents);
  }
  toJSON() {
    return { cents: this.cents };
  }
}

@Injectable()
export class Podcasts {
  @Callable() async publish(id: number): Promise<void> {
    console.log(id);
  }
}

@Module({ imports: [QueueModule.forFeature([ProcessPodcast, RefreshFeed, Lazy])], providers: [A, AudioProcessor] })
export class PodcastsModule {}

// ---- bus ------------------------------------------------------------------------------------------------------------
export class PodcastsController {
  constructor(
    private readonly bus: QueueBus,
    private readonly manager: EntityManager,
    @InjectQueueConnection('redis') private readonly redis: QueueConnection,
  ) {}

  async store(podcast: Podcast, active: boolean, mailer: { send(): Promise<void> }) {
    const receipt: DispatchReceipt | null = await this.bus.dispatch(new ProcessPodcast(podcast));
    await this.bus
      .dispatch(new ProcessPodcast(podcast))
      .onConnection('redis')
      .onQueue('high')
      .delay('10m')
      .afterCommit();
    await this.bus.dispatch(new ProcessPodcast(podcast).onQueue('high').onConnection('redis').delay(new Date()));
    await this.bus.dispatch(new A()).withoutDelay().beforeCommit();
    await this.bus.dispatchIf(active, new A());
    await this.bus.dispatchUnless(
      () => active,
      () => new A(),
    );
    const answer = await this.bus.dispatchSync<number>(new A());
    this.bus.dispatchAfterResponse(new A());
    this.bus.dispatchAfterResponse(async () => mailer.send());
    const receipts: readonly (DispatchReceipt | null)[] = await this.bus.bulk([new A(1), new A(2)]);
    await this.bus.dispatch(new A()).within(this.manager);
    await this.bus.dispatch(new ProcessPodcast(withoutRelations(podcast)));
    await this.redis.pushRaw('{}', 'default', { delay: 3 });
    return { receipt, answer: answer + 1, receipts };
  }

  refused(): void {
    // @ts-expect-error a plain object is not a job
    void this.bus.dispatch({});
    // @ts-expect-error a class is not an instance
    void this.bus.dispatch(ProcessPodcast);
    // @ts-expect-error a class without handle() is not a job
    void this.bus.dispatch(new Podcast());
    // @ts-expect-error tries is a number
    Tries('five');
    // @ts-expect-error there is no such option
    QueueModule.forRoot({ defaults: 'redis' });
    // @ts-expect-error there is no such driver
    QueueModule.forRoot({ connections: { mine: { driver: 'carrier-pigeon' } } });
  }
}

// @ts-expect-error a Queueable has a handle()
export class NoHandler extends Queueable {}

// ---- worker ---------------------------------------------------------------------------------------------------------
export async function main(): Promise<void> {
  await runWorker(AppModule);
  await runWorker(AppModule, ['redis', '--queue=high,default', '--tries=3', '--concurrency=20']);
  await runQueueCli(AppModule, ['queue:failed']);
}

export async function works(workers: WorkerService): Promise<WorkerStatus[]> {
  const given: WorkerOptions = {
    connection: 'redis',
    queues: ['high', 'default'],
    name: 'w',
    concurrency: 20,
    tries: 3,
    backoff: ['1s', 5],
    timeout: 60,
    sleep: '500ms',
    rest: 0,
    maxJobs: 0,
    maxTime: '1h',
    memory: 0,
    stopWhenEmpty: true,
    stopWhenEmptyFor: 0,
    force: false,
    grace: 25,
    timeoutGrace: 5,
    maxStalls: 3,
    prefetch: 0,
    unknownJobTries: 3,
    watchdog: false,
    stopOnLostConnection: false,
    exitWhenStuck: false,
  };
  const reason: StopReason = await workers.work(given);
  const taken: boolean = await workers.runNextJob({ connection: 'redis' });
  workers.pause();
  workers.resume();
  await workers.stop();
  console.log(reason, taken);
  return workers.status();
}

// ---- events, manager, failed jobs -----------------------------------------------------------------------------------
export class Listener {
  @OnEvent(JobFailed.event) onFailed(e: JobFailed) {
    const name: 'queue.job.failed' = JobFailed.event;
    console.log(name, e.connectionName, e.job.id, e.error.message);
  }
}

export async function manage(queue: QueueManager, failed: FailedJobs): Promise<FailedJob[]> {
  const off = queue.on(JobFailed, (e) => console.log(e.error.message));
  off();
  queue.before((e: JobProcessing) => e.job.tags);
  queue.after((e: JobProcessed) => e.job.attempts);
  queue.failing((e) => e.error.name);
  queue.looping((e: Looping) => e.queue !== 'closed');
  queue.exceptionOccurred((e) => e.error);
  queue.starting((e) => e.options.concurrency);
  queue.stopping((e) => [e.status, e.reason, e.jobsProcessed, e.lastJobProcessedAt]);
  queue.extend('kafka', (given: { brokers: string[] }) => given);
  queue.route(ProcessPodcast, { connection: 'redis', queue: 'media' });
  queue.forward('old', 'new', 'redis');
  queue.createPayloadUsing((connection, name, payload) => ({ connection, name, size: Object.keys(payload).length }));
  queue.createPayloadUsing(null);
  await queue.pause('redis', 'high');
  await queue.pauseFor('redis', 'high', '5m');
  await queue.pauseAll();
  await queue.resume('redis', 'high');
  await queue.resumeAll();
  await queue.restartWorkers();
  const paused: boolean = await queue.isPaused('redis', 'high');
  const connection = queue.connection('redis');
  const { pending, delayed, reserved, total, oldestPendingAt } = await connection.size('high');
  const cleared: number | undefined = await connection.clear('high');
  const [job] = [
    ...(await connection.pendingJobs()),
    ...(await connection.delayedJobs('high')),
    ...(await connection.reservedJobs()),
  ];
  const sizes = await queue.monitor(['redis:high', 'default'], 1000);
  console.log(
    paused,
    pending,
    delayed,
    reserved,
    total,
    oldestPendingAt,
    cleared,
    job?.payload,
    job?.createdAt,
    sizes[0]?.connection,
  );
  console.log(connection.name, connection.driver, getQueueConnectionToken('redis'));

  const one = await failed.find('id');
  const again: boolean = await failed.retry(one?.id ?? '');
  const count: number = await failed.retryAll({ queue: 'high' });
  await failed.forget('id');
  await failed.flush(24);
  await failed.prune();
  console.log(again, count, await failed.count({ connection: 'redis' }));
  return failed.all({ queue: 'high', limit: 10 });
}
