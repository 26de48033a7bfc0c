import type { QueueConnection } from '../connections/queue-connection.js';
import type { Clock } from '../support/clock.js';
import { QueueError } from '../support/queue-error.js';
import { SteeredClock, steerClocks } from '../support/steered-clock.js';
import { FakeClock } from './fake-clock.js';
import { runtimeOf, type ModuleUnderTest } from './module-runtime.js';

// Every module made from here on can be given a clock.
steerClocks();

/** The time of a module, or of one of its stores, is not for a test to move. */
export class ClockNotDrivenError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_CLOCK_NOT_DRIVEN', message);
  }
}

/**
 * The module goes by this clock from now on: delays, backoff, timeouts, limits, locks and leases, on memory and SQLite connections, opened
 * or not. Other stores go by their servers' time. Ends with the module.
 *
 * @throws ClockNotDrivenError where the module was made before `nestjs-queue/testing` was imported
 */
export function useClock(moduleRef: ModuleUnderTest, clock: FakeClock): void {
  const { clock: own } = runtimeOf(moduleRef, 'useClock()').connections;
  if (!(own instanceof SteeredClock))
    throw new ClockNotDrivenError(
      'The clock of this module cannot be changed: it was made before nestjs-queue/testing was loaded. Import that at the top of the test file.',
    );
  own.follow(clock);
}

/** The clock that a test moves, where the module goes by one. */
export function clockInUse(own: Clock): FakeClock | undefined {
  return own instanceof SteeredClock && own.followed instanceof FakeClock ? own.followed : undefined;
}

/** Drivers whose stores go by a clock of their own. */
const BY_SERVER: ReadonlySet<string> = new Set(['redis', 'sqs', 'beanstalkd']);

/** @throws ClockNotDrivenError where jobs of this connection are due by the time of a server */
export async function mustBeDriven(connection: QueueConnection): Promise<void> {
  const { schema } = await connection.backend();
  const served = schema ? schema.kind !== 'sqlite' : BY_SERVER.has(connection.driver);
  if (!served) return;
  const store = schema?.kind ?? connection.driver;
  throw new ClockNotDrivenError(
    `A FakeClock cannot move the time of the [${connection.name}] connection: ${store} goes by its server's clock. Test with a memory or SQLite connection, or without a clock.`,
  );
}

/** How long a handler may run before the clock moves with it; ms of real time. */
const STILL_MS = 300;
const STEP_MS = 20;
/** Kept from the start: a test may replace the global ones. */
const { setInterval: every, clearInterval: stop, performance: real } = globalThis;

/**
 * Waits for `work`, and keeps the process alive over it: timers of this package do not. The clock stands still; only what takes longer
 * than that moves it, as fast as real time: else what waits for its timeout, or for a limiter, would wait for ever.
 */
export async function standingStill<T>(clock: FakeClock | undefined, work: Promise<T>): Promise<T> {
  const began = real.now();
  let moved = 0;
  const move = (): void => {
    const ms = Math.round(real.now() - began - STILL_MS) - moved;
    if (ms <= 0 || !clock) return;
    moved += ms;
    void clock.advance(ms / 1_000);
  };
  const timer = every(move, clock ? STEP_MS : STILL_MS);
  try {
    return await work;
  } finally {
    stop(timer);
  }
}
