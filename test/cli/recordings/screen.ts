/** What a terminal shows in the end of all that was written to it: cursor movements and erasures are followed, colours left out. */
export function screenOf(written: string): string {
  const lines: string[][] = [[]];
  let row = 0;
  let column = 0;
  const line = (): string[] => {
    while (lines.length <= row) lines.push([]);
    return lines[row]!;
  };
  // oxlint-disable-next-line no-control-regex
  for (const [token, parameters, final] of written.matchAll(/\u001b\[([\d;?]*)([A-Za-z])|[^]/gu)) {
    const count = Number(parameters) || 1;
    if (final === 'A') row = Math.max(0, row - count);
    else if (final === 'B') row += count;
    else if (final === 'G') column = count - 1;
    else if (final === 'K') line().length = Math.min(line().length, column);
    else if (final === 'J') {
      line().length = Math.min(line().length, column);
      lines.length = row + 1;
    } else if (final !== undefined) continue;
    else if (token === '\n') row += 1;
    else if (token === '\r') column = 0;
    else {
      const cells = line();
      while (cells.length < column) cells.push(' ');
      cells[column] = token;
      column += 1;
    }
  }
  const shown = lines.map((cells) => cells.join('').trimEnd());
  while (shown.at(-1) === '') shown.pop();
  return shown.join('\n');
}
