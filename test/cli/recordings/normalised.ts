const FRAME = /^ +at /;
const WHEN = '2026-05-14 10:00:05';

/** What differs from one run to the next is replaced by something of the same kind, and of the same width where columns stand behind it. */
export function normalised(screen: string, ids: ReadonlyMap<string, string>, folder: string): string {
  let text = screen;
  for (const [real, shown] of ids) text = text.replaceAll(real, shown);
  return (
    text
      .replaceAll(folder, '/srv/app')
      .split('\n')
      .filter((line) => !line.startsWith('This worker runs as root'))
      .map(normalisedLine)
      // Of a stack the line of the application tells enough.
      .filter((line, at, all) => !FRAME.test(line) || !FRAME.test(all[at - 1] ?? ''))
      .join('\n')
  );
}

function normalisedLine(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, WHEN)
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '2026-05-14T10:00:05.000Z')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d/g, '2026-05-14T10:00:05.000000+00:00')
    .replaceAll(/\b1\d{12}\b/g, '1778752805000')
    .replace(/\[Nest\] \d+ {2}- .*?[ \u202f][AP]M +/, '[Nest] 4711  - 05/14/2026, 10:00:05 AM     ')
    .replace(/(?<=^ +at .*)file:\/\/.*\/([\w.-]+):\d+:\d+/, 'file:///srv/app/dist/$1:9:11')
    .replaceAll(/\b(pid|worker) \d+/g, '$1 4711')
    .replaceAll(/\bafter [\d.]+(ms|s)\b/g, 'after 1.23s')
    .replace(/"duration":[\d.]+/, '"duration":0.00421')
    .replace(/^[A-Za-z0-9+/]{43}=$/, 'Tm90IGEga2V5LCBhbiBleGFtcGxlIG9mIG9uZTogMTIzNDU=')
    .replace(
      /(?<= )(\.{3,}) ([\d.]+m?s)(?= (DONE|FAIL|RELEASED)$)/,
      (found) => `${'.'.repeat(found.length - 7)} 4.21ms`,
    )
    .replaceAll(/(?<= {2})(\d{1,2}s)( +|$)/g, (found) => '4s'.padEnd(found.trimEnd() === found ? 2 : found.length))
    .replace(/\d+ MB$/, '82 MB');
}
