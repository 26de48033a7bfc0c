import type { Registry } from 'prom-client';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import {
  atLeastMs,
  checkOptions,
  duration,
  record,
  texts,
  wrong,
  type OptionRule,
} from '../connections/option-check.js';
import { parseQueueTarget } from '../connections/queue-name.js';
import { queuesInUse, readStores } from '../operations/check-health.js';
import { StoreProbe } from '../operations/store-probe.js';
import { durationMs, type Duration } from '../support/duration.js';
import { loadPeer } from '../support/load-peer.js';
import type { WorkerVitals } from '../worker/tally.js';
import { meterJobs } from './job-meter.js';
import { MetricSet, type PromClient, type Sample, type Snapshot } from './metric-set.js';

/** What may be set about metrics. Durations are seconds as a number, or `'500ms' '30s'`. */
export interface QueueMetricsOptions {
  /** Whose sizes are shown: `'queue'` of the default connection, or `'connection:queue'`. Default: as `QueueHealth.check()`. */
  readonly queues?: readonly string[];
  /** Where the metrics are registered. Default: a registry of the module's own, so that two applications in a process do not meet. */
  readonly registry?: Registry;
  /** For how long an answer of the stores is shown again. Default 5. */
  readonly cache?: Duration;
  /** How long the stores may take to answer; one that does not has `nestjs_queue_up` 0 and no sizes. Default 3. */
  readonly timeout?: Duration;
  /** Upper bounds in seconds. Default 0.01 to 3600. */
  readonly waitBuckets?: readonly number[];
  /** Upper bounds in seconds. Default 0.005 to 900. */
  readonly durationBuckets?: readonly number[];
}

export interface MetricServices {
  readonly connections: ConnectionManager;
  readonly hub: EventHub;
  readonly registry: { find(name: string): unknown };
  readonly workers: { vitals(): readonly WorkerVitals[] };
}

const buckets: OptionRule = (value, field) => {
  const fine =
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((one, at) => Number.isFinite(one) && one > (value[at - 1] ?? -1));
  if (!fine) throw wrong(field, value, 'Give numbers of seconds, the smallest first.');
};
const RULES = {
  queues: texts,
  registry: record,
  cache: duration,
  timeout: atLeastMs(1),
  waitBuckets: buckets,
  durationBuckets: buckets,
};
const WAITS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600];
const DURATIONS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];

/** One for each module: who asks later gets the one that is there. */
const opened = new WeakMap<EventHub, Promise<QueueMetrics>>();

/** What one module has to tell Prometheus. Listens from when it is made until the module ends, or `close()`. */
export class QueueMetrics {
  readonly registry: Registry;
  readonly #services: MetricServices;
  readonly #set: MetricSet;
  readonly #probe: StoreProbe;
  readonly #options: QueueMetricsOptions;
  readonly #off: readonly (() => void)[];
  #snapshot: { readonly at: number; readonly promise: Promise<Snapshot> } | undefined;

  /**
   * The metrics of a module, made at the first call; the options of later ones are not looked at.
   *
   * @throws MissingPackageError without prom-client; InvalidOptionError
   */
  static open(services: MetricServices, options: QueueMetricsOptions = {}): Promise<QueueMetrics> {
    let found = opened.get(services.hub);
    if (!found) {
      found = promClient().then((client) => new QueueMetrics(client, services, options));
      opened.set(services.hub, found);
      found.catch(() => opened.delete(services.hub));
    }
    return found;
  }

  private constructor(client: PromClient, services: MetricServices, options: QueueMetricsOptions) {
    const { connections, hub } = services;
    const { queues, registry = new client.Registry(), waitBuckets = WAITS, durationBuckets = DURATIONS } = options;
    checkOptions({ ...options }, RULES, 'metrics');
    for (const one of queues ?? []) connections.get(parseQueueTarget(one, connections.defaultName).connection);
    this.registry = registry;
    this.#services = services;
    this.#options = options;
    this.#probe = new StoreProbe(connections);
    this.#set = MetricSet.of(client, registry, { wait: waitBuckets, duration: durationBuckets });
    this.#set.sources.add(this);
    const knows = (name: string): boolean => services.registry.find(name) !== undefined;
    this.#off = [meterJobs(hub, this.#set, connections.clock, knows), hub.onEnd(() => this.close())];
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Everything in the registry, as Prometheus reads it. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  /** Stops listening and asks the stores no more. What was counted stays in the registry. */
  close(): void {
    for (const off of this.#off) off();
    this.#set.sources.delete(this);
    opened.delete(this.#services.hub);
  }

  /** What the stores and workers tell now, or told a moment ago. All gauges of one reading show the same. */
  snapshot(): Promise<Snapshot> {
    const now = this.#services.connections.clock.elapsed();
    const freshMs = durationMs(this.#options.cache ?? 5, 'metrics.cache');
    if (!this.#snapshot || now - this.#snapshot.at >= Math.max(freshMs, SAME_READING_MS)) {
      this.#snapshot = { at: now, promise: this.#look() };
    }
    return this.#snapshot.promise;
  }

  async #look(): Promise<Snapshot> {
    const { connections, workers } = this.#services;
    const { queues, timeout = 3 } = this.#options;
    const vitals = workers.vitals();
    const targets = queues
      ? queues.map((one) => parseQueueTarget(one, connections.defaultName))
      : queuesInUse(connections, vitals);
    const readings = await readStores(connections, this.#probe, targets, durationMs(timeout, 'metrics.timeout'));
    const up: Sample[] = [];
    const jobs: Sample[] = [];
    const oldest: Sample[] = [];
    const paused: Sample[] = [];
    for (const [connection, { queues: asked, reading }] of readings) {
      up.push({ labels: { connection }, value: 'fault' in reading ? 0 : 1 });
      if ('fault' in reading) continue;
      asked.forEach((queue, at) => {
        const { sizes, paused: isPaused } = reading.queues[at]!;
        const labels = { connection, queue };
        for (const state of ['pending', 'delayed', 'reserved'] as const) {
          const value = sizes[state];
          if (value !== undefined) jobs.push({ labels: { ...labels, state }, value });
        }
        const since = sizes.oldestPendingAt;
        const ageMs = since ? Math.max(0, connections.clock.now() - since.getTime()) : 0;
        if (since || sizes.pending === 0) oldest.push({ labels, value: ageMs / 1_000 });
        if (isPaused !== undefined) paused.push({ labels, value: isPaused ? 1 : 0 });
      });
    }
    return { up, jobs, oldest, paused, workers: counted(vitals) };
  }
}

/** The gauges of one reading ask one after the other, and are to show one answer. */
const SAME_READING_MS = 50;

function counted(vitals: readonly WorkerVitals[]): Sample[] {
  const found = new Map<string, { labels: Record<string, string>; value: number }>();
  for (const { connection, state } of vitals) {
    const key = JSON.stringify([connection, state]);
    const one = found.get(key) ?? { labels: { connection, state }, value: 0 };
    one.value += 1;
    found.set(key, one);
  }
  return [...found.values()];
}

async function promClient(): Promise<PromClient> {
  const peer = { name: 'prom-client', purpose: 'Metrics for Prometheus', install: 'npm i prom-client' };
  return loadPeer(peer, () => import('prom-client'));
}
