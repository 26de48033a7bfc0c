import { describe, expect, it } from '@jest/globals';
import { cancel, conclude, type BatchRow } from '../../../lib/backends/database/batch-ledger.js';

/** All members have ended. */
function batch(given: Partial<BatchRow> = {}): BatchRow {
  return {
    seq: 1,
    id: 'b',
    name: '',
    options: '{}',
    total: 1,
    pending: 0,
    failed: 0,
    ended: 1,
    sealed: true,
    cancelOnFailure: true,
    createdAt: 0,
    cancelledAt: undefined,
    finishedAt: undefined,
    dueAt: new Map(),
    confirmed: new Set(),
    ...given,
  };
}

describe('the stamps of a batch', () => {
  it('tell which came first where the clock of the one that waited is behind', () => {
    const cancelledFirst = batch({ cancelledAt: 1_005 });
    expect(conclude(cancelledFirst, 1_004)).toBe(true);
    expect(cancelledFirst.finishedAt).toBe(1_005);

    const finishedFirst = batch({ finishedAt: 1_005 });
    expect(cancel(finishedFirst, 1_004)).toBe(true);
    expect(finishedFirst.cancelledAt).toBe(1_005);
  });

  it('are set once', () => {
    const row = batch();
    expect([conclude(row, 5), conclude(row, 7), row.finishedAt]).toEqual([true, false, 5]);
    expect([cancel(row, 6), cancel(row, 8), row.cancelledAt]).toEqual([true, false, 6]);
  });
});
