import { afterEach, describe, expect, it } from '@jest/globals';
import { LEFT_OUT_OF_SWEEPS, Site, SWEPT_STORES } from './site.js';

let site: Site | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});
if (LEFT_OUT_OF_SWEEPS) console.info(LEFT_OUT_OF_SWEEPS);

interface Told {
  readonly retried: number;
  readonly recorded: number;
  readonly queued: number;
}

describe.each(SWEPT_STORES)(
  'a retry on %s that is killed with jobs queued again, and still recorded elsewhere',
  (store) => {
    it('runs each once, whether it is done again before they run or behind that', async () => {
      const at = (site = await Site.open({}, store));
      const run = async (what: string): Promise<Told> => {
        const child = at.start('retry-killed', what, [what]);
        const told = await child.message<Told>();
        await child.ended;
        return told;
      };
      const killed = async (): Promise<void> => {
        expect(await run('fail')).toEqual({ retried: 0, recorded: 3, queued: 0 });
        expect(await at.start('retry-killed', 'killed', ['killed']).ended).toMatchObject({ signal: 'SIGKILL' });
      };
      const ran = (): readonly string[] => {
        const lines = at.lines('start').filter(({ by }) => by === 'work');
        return lines.map(({ info }) => String(info)).toSorted();
      };
      await killed();
      expect(await run('retry')).toEqual({ retried: 3, recorded: 0, queued: 3 });
      expect(await run('work')).toEqual({ retried: 0, recorded: 0, queued: 0 });
      expect(ran()).toEqual(['a', 'b', 'c']);

      await killed();
      expect(await run('work')).toEqual({ retried: 0, recorded: 0, queued: 0 });
      expect(await run('retry')).toEqual({ retried: 0, recorded: 0, queued: 0 });
      expect(ran()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
    }, 60_000);
  },
);
