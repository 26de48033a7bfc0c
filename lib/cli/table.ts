import { clean, columnsOf, cut, padded, plain, type Colour, type Paint } from './style.js';

export interface Column<R> {
  readonly title: string;
  readonly value: (row: R) => string;
  /** May be cut down to so many columns where the terminal is narrow. Absent: shown whole. */
  readonly atLeast?: number;
  readonly colour?: Colour | ((row: R) => Colour | undefined);
}

const GAP = 2;

/**
 * Rows under a heading, within `width` columns. Where that cannot be, each row becomes a block of `title  value` lines.
 *
 * @param width `Infinity` cuts nothing: what is piped is meant for other programs
 */
export function table<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  width: number,
  paint: Paint = plain,
): string[] {
  const cells = rows.map((row) => columns.map((column) => clean(column.value(row))));
  const widths = fitted(columns, cells, width);
  if (!widths) return blocks(columns, cells, width, paint);

  const line = (texts: readonly string[], colours: readonly (Colour | undefined)[]): string =>
    texts
      .map((text, at) => {
        const fitting = padded(cut(text, widths[at]!), at === texts.length - 1 ? 0 : widths[at]!);
        const colour = colours[at];
        return colour ? paint(colour, fitting) : fitting;
      })
      .join(' '.repeat(GAP))
      .trimEnd();

  const titles = columns.map((column) => column.title);
  const coloursOf = (row: R): (Colour | undefined)[] =>
    columns.map(({ colour }) => (typeof colour === 'function' ? colour(row) : colour));
  return [
    line(
      titles,
      titles.map(() => 'bold' as const),
    ),
    ...cells.map((row, at) => line(row, coloursOf(rows[at]!))),
  ];
}

/** The width of each column, or nothing where even the narrowest form is too wide. */
function fitted<R>(columns: readonly Column<R>[], cells: readonly string[][], width: number): number[] | undefined {
  const widths = columns.map((column, at) =>
    cells.reduce((widest, row) => Math.max(widest, columnsOf(row[at]!)), columnsOf(column.title)),
  );
  let excess = widths.reduce((sum, one) => sum + one, GAP * (columns.length - 1)) - width;
  for (let at = columns.length - 1; at >= 0 && excess > 0; at--) {
    const least = Math.max(columns[at]!.atLeast ?? Infinity, columnsOf(columns[at]!.title));
    const taken = Math.min(excess, Math.max(0, widths[at]! - least));
    widths[at]! -= taken;
    excess -= taken;
  }
  return excess > 0 ? undefined : widths;
}

function blocks<R>(columns: readonly Column<R>[], cells: readonly string[][], width: number, paint: Paint): string[] {
  const titles = columns.reduce((widest, column) => Math.max(widest, columnsOf(column.title)), 0);
  return cells.flatMap((row, index) => [
    ...(index > 0 ? [''] : []),
    ...row.map((cell, at) => {
      const room = columns[at]!.atLeast === undefined ? Infinity : Math.max(columns[at]!.atLeast, width - titles - GAP);
      return `${paint('bold', padded(columns[at]!.title, titles))}${' '.repeat(GAP)}${cut(cell, room)}`;
    }),
  ]);
}
