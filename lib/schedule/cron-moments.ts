import { createRequire } from 'node:module';
import { loadPeer } from '../support/load-peer.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** The moments that a cron expression means, in epoch ms. */
export interface CronMoments {
  /** The first one behind `after`. */
  next(after: number): number;
}

/**
 * Reads a cron expression of five fields, or of six with seconds in front.
 *
 * @param at what it stands at, for errors
 * @param timeZone an IANA name; default: the machine's
 * @throws InvalidOptionError for one that cannot be read, or that no moment fits
 */
export type ReadCron = (at: string, cron: string, timeZone?: string) => CronMoments;

/** The part of the package `cron` that is used: it counts moments, and no timer of it runs. */
interface CronPackage {
  readonly CronTime: new (
    source: string,
    timeZone?: string,
  ) => { getNextDateFrom(start: Date, timeZone?: string): { toMillis(): number } };
}

const PEER = { name: '@nestjs/schedule', purpose: 'A schedule', install: 'npm i @nestjs/schedule' };
/** Where an hour is skipped or comes twice, the package may answer with what has been; asked from a little later it goes on. */
const STEP_MS = 60_000;
const LONGEST_OVERLAP_MS = 4 * 3_600_000;

/** @throws MissingPackageError without `@nestjs/schedule` */
export async function loadCron(load: () => CronPackage | Promise<CronPackage> = cronOfPeer): Promise<ReadCron> {
  const { CronTime } = await loadPeer(PEER, async () => load());
  return (at, cron, timeZone) => {
    const moments = read(CronTime, at, cron, timeZone);
    moments.next(Date.now());
    return moments;
  };
}

/** Found from the peer, whose dependency it is: a strict installation does not show it to anybody else. */
function cronOfPeer(): CronPackage {
  const from = createRequire(import.meta.url);
  return createRequire(from.resolve(`${PEER.name}/package.json`))('cron') as CronPackage;
}

function read(CronTime: CronPackage['CronTime'], at: string, cron: string, timeZone: string | undefined): CronMoments {
  if (timeZone !== undefined && !isZone(timeZone)) {
    throw new InvalidOptionError(
      `${at}: the time zone ${describe(timeZone)} is not known. Give an IANA name such as 'Europe/Berlin'.`,
    );
  }
  const readable = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
      throw new InvalidOptionError(
        `${at}: the cron expression ${describe(cron)} cannot be used: ${why.replace(/\.$/, '')}. Give five fields, or six with seconds in front, such as '*/5 * * * *'.`,
        { cause: error },
      );
    }
  };
  const time = readable(() => new CronTime(cron, timeZone));
  return {
    next: (after) =>
      readable(() => {
        for (let from = after; from < after + LONGEST_OVERLAP_MS; from += STEP_MS) {
          const found = time.getNextDateFrom(new Date(from), timeZone).toMillis();
          if (found > after) return found;
        }
        throw new Error('no moment fits it');
      }),
  };
}

function isZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}
