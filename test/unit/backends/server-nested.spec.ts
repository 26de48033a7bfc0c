import { expect, it } from '@jest/globals';
import { nested, Undone, type Link } from '../../../lib/backends/database/server/link.js';

/** A server that has rolled the whole transaction back by itself: its savepoints are gone. */
const gone = new Error('SAVEPOINT queue_one does not exist');
const foreign: Link = {
  query: () => Promise.resolve({ rows: [], changes: 0 }),
  run: (sql) => (sql.startsWith('ROLLBACK TO') ? Promise.reject(gone) : Promise.resolve()),
};
const own = Object.assign({ busySince: undefined, alive: true, release() {}, destroy() {} }, foreign);

const failing = (link: Link, error: Error): Promise<unknown> => nested(link, () => Promise.reject(error));

it('tells the owner of a transaction that it is gone, where nothing else went wrong', async () => {
  await expect(failing(foreign, new Undone())).rejects.toBe(gone);
});

it('leaves a transaction of the queue’s own at that: nothing of it was to be kept', async () => {
  const undone = new Undone();
  await expect(failing(own, undone)).rejects.toBe(undone);
});

it('throws what went wrong rather than what came of it', async () => {
  const deadlock = new Error('Deadlock found');
  await expect(failing(foreign, deadlock)).rejects.toBe(deadlock);
});
