import type { Counter, Gauge, Histogram, Registry } from 'prom-client';

export type PromClient = Pick<typeof import('prom-client'), 'Counter' | 'Gauge' | 'Histogram' | 'Registry'>;

export interface Buckets {
  /** Upper bounds of the histogram of waits, in seconds. */
  readonly wait: readonly number[];
  /** Upper bounds of the histogram of durations, in seconds. */
  readonly duration: readonly number[];
}

/** A number with its labels, as a gauge shows it. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a module knows at the moment. */
export interface Snapshot {
  readonly up: readonly Sample[];
  readonly jobs: readonly Sample[];
  readonly oldest: readonly Sample[];
  readonly paused: readonly Sample[];
  readonly workers: readonly Sample[];
}

export interface SnapshotSource {
  snapshot(): Promise<Snapshot>;
}

const JOB = ['connection', 'queue', 'job'] as const;
const QUEUE = ['connection', 'queue'] as const;
type JobLabel = (typeof JOB)[number];

const made = new WeakMap<object, MetricSet>();

/** The metrics of one registry. Modules that were given the same registry share them: their counts add up. */
export class MetricSet {
  readonly processed: Counter<JobLabel>;
  readonly failed: Counter<JobLabel>;
  readonly released: Counter<JobLabel | 'cause'>;
  readonly lost: Counter<JobLabel>;
  readonly timedOut: Counter<JobLabel>;
  readonly wait: Histogram<JobLabel>;
  readonly duration: Histogram<JobLabel>;
  readonly inFlight: Gauge<(typeof QUEUE)[number]>;
  /** Asked when the registry is read. */
  readonly sources = new Set<SnapshotSource>();

  /** @param buckets of the first that asks hold for all */
  static of(client: PromClient, registry: Registry, buckets: Buckets): MetricSet {
    let set = made.get(registry);
    if (!set) made.set(registry, (set = new MetricSet(client, registry, buckets)));
    return set;
  }

  private constructor({ Counter, Gauge, Histogram }: PromClient, registry: Registry, buckets: Buckets) {
    const registers = [registry];
    const counter = (what: string, help: string): Counter<JobLabel> =>
      new Counter({ name: `nestjs_queue_jobs_${what}_total`, help, labelNames: JOB, registers });
    this.processed = counter('processed', 'Jobs that are done.');
    this.failed = counter('failed', 'Jobs that have failed for good.');
    this.lost = counter(
      'lost',
      'Attempts whose outcome the store refused: somebody else has the job, or it was removed.',
    );
    this.timedOut = counter('timed_out', 'Attempts that ran past the timeout.');
    this.released = new Counter({
      name: 'nestjs_queue_jobs_released_total',
      help: 'Attempts after which the job went back to its queue, by cause: exception, release.',
      labelNames: [...JOB, 'cause'],
      registers,
    });
    this.wait = new Histogram({
      name: 'nestjs_queue_job_wait_seconds',
      help: 'From when a job could be taken until its first attempt began.',
      labelNames: JOB,
      buckets: [...buckets.wait],
      registers,
    });
    this.duration = new Histogram({
      name: 'nestjs_queue_job_duration_seconds',
      help: 'From the beginning of an attempt until the store has accepted its outcome.',
      labelNames: JOB,
      buckets: [...buckets.duration],
      registers,
    });
    this.inFlight = new Gauge({
      name: 'nestjs_queue_jobs_in_flight',
      help: 'Attempts that run in this process.',
      labelNames: QUEUE,
      registers,
    });
    const gauge = (kind: keyof Snapshot, what: string, help: string, labelNames: readonly string[]): void => {
      const { sources } = this;
      new Gauge({
        name: `nestjs_queue_${what}`,
        help,
        labelNames,
        registers,
        async collect() {
          const all = await Promise.all([...sources].map((one) => one.snapshot()));
          this.reset();
          for (const { [kind]: samples } of all) for (const { labels, value } of samples) this.set(labels, value);
        },
      });
    };
    gauge('up', 'up', 'Whether the store of a connection answered: 1 or 0.', ['connection']);
    gauge('jobs', 'jobs', 'Jobs in a queue by state: pending (due and free), delayed, reserved.', [...QUEUE, 'state']);
    gauge(
      'oldest',
      'oldest_job_age_seconds',
      'Since when the oldest pending job could have been taken; 0: none.',
      QUEUE,
    );
    gauge('paused', 'paused', 'Whether a queue is paused: 1 or 0.', QUEUE);
    gauge('workers', 'workers', 'Workers of this process by state.', ['connection', 'state']);
  }
}
