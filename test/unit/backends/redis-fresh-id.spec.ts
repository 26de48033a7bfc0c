import { describe, expect, it } from '@jest/globals';
import { isFreshId, momentOfId } from '../../../lib/backends/redis/fresh-id.js';
import { timeOrderedUuid } from '../../../lib/support/time-ordered-uuid.js';

const NOW = 1_760_000_000_000;

describe('fresh ids', () => {
  it('are those of version 7 made within a second', () => {
    const id = timeOrderedUuid(NOW);
    for (const now of [NOW, NOW + 999, NOW - 999]) expect(isFreshId(id, now)).toBe(true);
    for (const now of [NOW + 1_000, NOW - 1_000, NOW + 86_400_000]) expect(isFreshId(id, now)).toBe(false);
  });

  it('are told one by one, whatever was asked before', () => {
    const id = timeOrderedUuid(NOW);
    expect(isFreshId(id, NOW)).toBe(true);
    expect(isFreshId(timeOrderedUuid(NOW - 90_000), NOW)).toBe(false);
    expect(isFreshId(id, NOW)).toBe(true);
    expect(isFreshId(`${id}0`, NOW)).toBe(false);
    expect(isFreshId(id.slice(0, 20), NOW)).toBe(false);
  });

  it('are not those of another kind', () => {
    for (const id of ['', 'job', '3b241101-e2bb-4255-8caf-4136c566a962', timeOrderedUuid(NOW).toUpperCase()]) {
      expect(isFreshId(id, NOW)).toBe(false);
    }
  });

  it('tell their moment to the millisecond', () => {
    expect(momentOfId(timeOrderedUuid(NOW + 7))).toBe(NOW + 7);
    expect(momentOfId('3b241101-e2bb-4255-8caf-4136c566a962')).toBeUndefined();
  });
});
