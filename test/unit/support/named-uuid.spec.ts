import { describe, expect, it } from '@jest/globals';
import { namedUuid } from '../../../lib/support/named-uuid.js';

describe('namedUuid', () => {
  it('is a UUID of version 5, the same for the same names and for no others', () => {
    const id = namedUuid('job', 'step 0');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(namedUuid('job', 'step 0')).toBe(id);
    const others = [namedUuid('job', 'step 1'), namedUuid('job ', 'step 0'), namedUuid('job\nstep', '0')];
    expect(new Set([id, ...others]).size).toBe(4);
  });
});
