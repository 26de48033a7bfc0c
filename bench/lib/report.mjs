import { figure, markdownTable, times } from './format.mjs';
import { PEERS } from './peers.mjs';
import { ROWS } from './rows.mjs';
import { TARGETS } from './targets.mjs';

const FAMILIES = { memory: 'Memory', sqlite: 'SQLite', postgres: 'Postgres', redis: 'Redis' };

/** The whole report as Markdown: machine and versions, a table for each family, the targets, what went wrong. */
export function report({ machine, settings }, results) {
  const parts = [`${describeMachine(machine)}\n\n${describeSettings(settings)}`];
  for (const [family, title] of Object.entries(FAMILIES)) {
    const table = familyTable(family, results);
    if (table !== undefined) parts.push(`#### ${title}\n\n${table}`);
  }
  const targets = targetTable(results);
  if (targets !== undefined) parts.push(`#### Targets\n\n${targets}`);
  const faults = results.faults();
  parts.push(
    faults.length === 0
      ? 'No job ran twice, and none was lost or left unacknowledged, in any cell.'
      : `Not as it should be:\n\n${faults.map(({ peer, rows, text }) => `- ${peer} (${rows.join(', ')}): ${text}`).join('\n')}`,
  );
  return parts.join('\n\n');
}

function familyTable(family, results) {
  const peers = PEERS.filter(
    (peer) => peer.family === family && results.entries.some(({ peer: id }) => id === peer.id),
  );
  if (peers.length === 0) return undefined;
  const reference = peers.find((peer) => peer.reference);
  const rows = [];
  for (const row of ROWS) {
    for (const line of row.lines) {
      if (line.families !== undefined && !line.families.includes(family)) continue;
      const cells = peers.map((peer) => cellText(results, peer, row, line, reference));
      if (cells.some((cell) => cell !== '-')) rows.push([line.title, ...cells]);
    }
  }
  const note = reference === undefined ? '' : `In brackets the ratio to ${reference.id}.\n\n`;
  return note + markdownTable(['row', ...peers.map(({ id }) => id)], rows);
}

function cellText(results, peer, row, line, reference) {
  const value = results.median(peer.id, row.id, line.metric);
  if (!Number.isFinite(value)) return '-';
  if (line.plain || reference === undefined || peer === reference) return figure(value);
  const ratio = results.ratio(peer.id, row.id, line.metric, reference.id);
  return Number.isFinite(ratio) ? `${figure(value)} (${times(ratio)})` : figure(value);
}

function targetTable(results) {
  const rows = [];
  for (const target of TARGETS) {
    const line = ROWS.find(({ id }) => id === target.row).lines.find(({ metric }) => metric === target.metric);
    const verdict = results.judge(target, line.better);
    if (verdict === undefined) continue;
    const relative = target.against !== undefined || target.of !== undefined;
    const show = relative ? times : figure;
    rows.push([
      line.title,
      target.peer,
      `${target.kind} ${show(target.value)}${comparedWith(target)}`,
      show(verdict.reached),
      verdict.met ? 'met' : '**missed**',
    ]);
  }
  return rows.length === 0 ? undefined : markdownTable(['row', 'of', 'target', 'reached', ''], rows);
}

function comparedWith({ against, of }) {
  if (of !== undefined) return ' of that with 10,000';
  if (against === undefined) return '';
  return ` ${against.name}`;
}

function describeMachine({ cpu, cores, os, node, versions, date }) {
  const list = Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const names = Object.entries(node)
    .map(([version, peers]) => `${version} (${peers.join(', ')})`)
    .join('; ');
  return `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${os}. Node ${names}. ${list}.`;
}

function describeSettings({ rounds, seconds, quick }) {
  const how = rounds === 1 ? 'One round' : `Medians of ${rounds} interleaved rounds`;
  return `${how}, ${seconds} s a cell${quick ? ', quick' : ''}.`;
}
