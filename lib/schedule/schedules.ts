import type { ReadCron } from './cron-moments.js';
import { Ticker, type TickerServices } from './ticker.js';

/** Something that is done at the moments of a cron expression. */
export interface Schedule {
  /** What it stands at, for errors and the log. */
  readonly at: string;
  readonly cron: string;
  readonly timeZone?: string;
  readonly run: (plannedAt: number) => Promise<void>;
}

export interface SchedulesServices extends TickerServices {
  /** Loaded where there is something to read. */
  readonly cron: () => Promise<ReadCron>;
}

/** What is cut off at the end of the application has had this long. */
const STOP_MS = 5_000;
/** As long as a timer can be: it keeps the process alive, and does nothing else. */
const FOREVER_MS = 2 ** 31 - 1;

/** The schedules of one process. Checked while it boots, run from then until it ends. */
export class Schedules {
  #tickers: readonly Ticker[] = [];
  #alive: NodeJS.Timeout | undefined;

  constructor(private readonly services: SchedulesServices) {}

  /** @throws InvalidOptionError for a cron expression or a time zone that cannot be, MissingPackageError */
  async prepare(schedules: readonly Schedule[]): Promise<void> {
    if (schedules.length === 0) return;
    const read = await this.services.cron();
    this.#tickers = schedules.map(
      ({ at, cron, timeZone, run }) => new Ticker(at, read(at, cron, timeZone), run, this.services),
    );
  }

  start(): void {
    if (this.#tickers.length === 0) return;
    for (const ticker of this.#tickers) ticker.start();
    this.#alive = setInterval(() => undefined, FOREVER_MS);
  }

  /** No tick begins from now on, and no timer is left. Waits a little for what has begun. */
  async stop(): Promise<void> {
    clearInterval(this.#alive);
    const stopping = Promise.all(this.#tickers.map((ticker) => ticker.stop()));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([stopping, new Promise((resolve) => (timer = setTimeout(resolve, STOP_MS)))]);
    clearTimeout(timer);
  }
}
