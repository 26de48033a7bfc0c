import { describe, expect, it } from '@jest/globals';
import { entryOf, OutboxEntryError, outboxRow } from '../../../lib/connections/outbox-entry.js';
import type { PushEntry, ReservedJob } from '../../../lib/contracts/queue-driver.js';

const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;

function reserved({ id, queue, body }: Pick<PushEntry, 'id' | 'queue' | 'body'>): ReservedJob {
  return { id, queue, body, priority: 0, attempts: 1, stalls: 0, token: 't', leasedUntil: 0 };
}
const back = (entry: PushEntry, at = NOW): PushEntry => entryOf(reserved(outboxRow(entry, 'redis', NOW)), at);

describe('a row of an outbox', () => {
  it('lies in the queue of its connection, due at once, with the body readable behind one line', () => {
    const row = outboxRow({ id: 'a', queue: 'high', body: '{"data":1}', delayMs: 5_000, priority: 3 }, 'redis', NOW);
    expect(row).toEqual({
      id: 'a',
      queue: 'redis',
      body: `{"v":1,"queue":"high","dueAt":${NOW + 5_000},"priority":3}\n{"data":1}`,
      delayMs: 0,
    });
  });

  const entries: PushEntry[] = [
    { id: 'a', queue: 'default', body: '', delayMs: 0 },
    { id: 'b', queue: 'high', body: 'two\nlines\n', delayMs: 0, priority: -4, group: 'g', dedupe: 'd' },
    { id: 'c', queue: 'q', body: 'Grüße 🚚', delayMs: 0, lock: { key: 'k', owner: 'c', ttlMs: 1_000 } },
    { id: 'd', queue: 'q', body: 'x', delayMs: 0, lock: { key: 'k', owner: 'd', ttlMs: Infinity } },
  ];
  it.each(entries)('gives back what was put in: %j', (entry) => {
    expect(back(entry)).toEqual({ ...entry, once: { ttlMs: DAY_MS } });
  });

  it('counts the delay from the dispatch', () => {
    const entry = { id: 'a', queue: 'q', body: 'x', delayMs: 5_000 };
    expect([0, 1_000, 5_000, 60_000].map((after) => back(entry, NOW + after).delayMs)).toEqual([5_000, 4_000, 0, 0]);
    expect(back({ ...entry, delayMs: 0, dueAt: NOW + 7_000 }).delayMs).toBe(7_000);
  });

  it.each([
    '',
    'nonsense',
    '{"v":2,"queue":"q"}\nx',
    '{"v":1}\nx',
    'null\nx',
    '7\nx',
    '{"v":1,"queue":"q","dueAt":"x"}\nx',
  ])('refuses what it cannot read: %j', (body) => {
    expect(() => entryOf(reserved({ id: 'a', queue: 'redis', body }), NOW)).toThrow(OutboxEntryError);
    expect(() => entryOf(reserved({ id: 'a', queue: 'redis', body }), NOW)).toThrow(
      'The row a in the outbox of the [redis] connection cannot be read.',
    );
  });
});
