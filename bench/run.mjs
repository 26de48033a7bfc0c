// npm run bench -- --help
import { readFileSync, writeFileSync } from 'node:fs';
import { helpText, parseFlags } from './lib/flags.mjs';
import { installPeers } from './lib/install.mjs';

// So that what runs at the exit of a process runs then too.
process.once('SIGINT', () => process.exit(130));

const flags = parse();
if (flags.help) {
  console.log(helpText());
} else {
  if (flags.from === undefined) installPeers();
  // Only now: these modules need what has just been installed.
  const { Results } = await import('./lib/results.mjs');
  const { report } = await import('./lib/report.mjs');
  const outcome = flags.from === undefined ? await measure() : JSON.parse(readFileSync(flags.from, 'utf8'));
  const results = new Results(outcome.results);
  if (typeof flags.json === 'string') writeFileSync(flags.json, `${JSON.stringify(outcome, null, 1)}\n`);
  console.log(flags.json === true ? JSON.stringify(outcome) : report(outcome, results));
  const { PEERS } = await import('./lib/peers.mjs');
  const ours = new Set(PEERS.filter((peer) => peer.ours).map((peer) => peer.id));
  if (results.faults().some(({ peer }) => ours.has(peer))) process.exitCode = 1;
}

async function measure() {
  const { measureAll } = await import('./lib/measure.mjs');
  return measureAll(flags, (line) => flags.markdown || process.stderr.write(`${line}\n`));
}

function parse() {
  try {
    return parseFlags(process.argv.slice(2));
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
