import { describe, expect, it } from '@jest/globals';
import { painted } from '../../lib/cli/style.js';
import { table, type Column } from '../../lib/cli/table.js';

interface Row {
  id: string;
  name: string;
  error: string;
}

const columns: readonly Column<Row>[] = [
  { title: 'ID', value: (row) => row.id, colour: 'gray' },
  { title: 'Name', value: (row) => row.name, atLeast: 6 },
  { title: 'Error', value: (row) => row.error, atLeast: 8 },
];
const rows: readonly Row[] = [
  { id: 'a1', name: 'SendInvoice', error: 'the server said no' },
  { id: 'b22', name: '送信', error: 'x' },
];

describe('table', () => {
  it('aligns its columns', () => {
    expect(table(columns, rows, 80)).toEqual([
      'ID   Name         Error',
      'a1   SendInvoice  the server said no',
      'b22  送信         x',
    ]);
  });

  it('cuts the last columns first where the terminal is narrow, and stays within it', () => {
    const lines = table(columns, rows, 28);
    expect(lines[1]).toBe('a1   SendInvoice  the serve…');
    expect(table(columns, rows, 22)[1]).toBe('a1   SendIn…  the ser…');
    for (const line of [...lines, ...table(columns, rows, 22)]) expect(line.length).toBeLessThanOrEqual(28);
  });

  it('becomes one block a row where columns do not fit side by side', () => {
    expect(table(columns, rows, 18)).toEqual([
      'ID     a1',
      'Name   SendInvoice',
      'Error  the server…',
      '',
      'ID     b22',
      'Name   送信',
      'Error  x',
    ]);
  });

  it('cuts nothing when piped', () => {
    expect(table(columns, [{ id: 'a', name: 'n'.repeat(300), error: 'e' }], Infinity)[1]).toContain('n'.repeat(300));
  });

  it('lets no cell break the line or paint', () => {
    const [, line] = table(columns, [{ id: 'a', name: '\u001b[31mred\nline', error: 'e' }], 80, painted);
    expect(line).toBe(`\u001b[90ma \u001b[39m  ${String.raw`red\nline`}  e`);
  });
});
