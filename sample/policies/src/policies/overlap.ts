import { Inject, Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Job, Queueable, QueueBus, Tries, WithoutOverlapping } from 'nestjs-queue';
import { Journal } from '../journal.js';
import { seconds, type Row, type Scene } from '../scene.js';

const HALLS = ['main stage', 'studio'];

@Job()
@Tries(0)
export class RebuildSeatMap extends Queueable {
  constructor(readonly hall: string) {
    super();
  }

  middleware() {
    return [new WithoutOverlapping(this.hall).releaseAfter('100ms')];
  }

  async handle(@Inject() journal: Journal): Promise<void> {
    journal.tell('seat map begun', this.hall);
    await sleep(300);
    journal.tell('seat map done', this.hall);
  }
}

@Injectable()
export class OverlapScene implements Scene {
  readonly title = 'The seat maps of two halls are rebuilt, three times each';

  constructor(
    private readonly bus: QueueBus,
    private readonly journal: Journal,
  ) {}

  async play(): Promise<Row[]> {
    await this.bus.bulk([1, 2, 3].flatMap(() => HALLS.map((hall) => new RebuildSeatMap(hall))));
    await this.journal.until(6, 'seat map done');
    const halls = await Promise.all(HALLS.map((hall) => this.rebuilds(hall)));
    const begun = Math.min(...halls.flat().map(({ from }) => from));
    const done = Math.max(...halls.flat().map(({ to }) => to));

    console.log('which worker rebuilt when, a character for 50 ms:');
    for (const [index, rebuilds] of halls.entries()) {
      console.log(`  ${HALLS[index]!.padEnd(10)} ${timeline(rebuilds, begun)}`);
    }
    const released = this.journal.lines('released', RebuildSeatMap.name).length;
    return [
      {
        policy: 'no overlap',
        promise: 'one rebuild of a hall at a time, two halls side by side',
        came: `6 rebuilds of 0.3 s within ${seconds(done - begun)}, put back ${released} times`,
        kept:
          halls.every((one) => one.every(({ from }, index) => index === 0 || from >= one[index - 1]!.to)) &&
          halls[0]!.some((one) => halls[1]!.some((other) => one.from < other.to && other.from < one.to)),
      },
    ];
  }

  private async rebuilds(hall: string): Promise<Rebuild[]> {
    const begun = await this.journal.until(3, 'seat map begun', hall);
    const done = await this.journal.until(3, 'seat map done', hall);
    return begun.map(({ at, by }, index) => ({ worker: by.at(-1)!, from: at, to: done[index]!.at }));
  }
}

interface Rebuild {
  readonly worker: string;
  readonly from: number;
  readonly to: number;
}

/** A bar where a rebuild began, then the number of its worker; dots where nobody was at work. */
function timeline(rebuilds: readonly Rebuild[], start: number): string {
  const column = (at: number) => Math.round((at - start) / 50);
  return rebuilds.reduce(
    (text, { worker, from, to }) => `${text.padEnd(column(from), '.')}|`.padEnd(column(to), worker),
    '',
  );
}
