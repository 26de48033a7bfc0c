import { resolve } from 'node:path';

const KNOWN = {
  quick: 'fewer jobs, fewer rows, one round; under six minutes',
  rounds: 'how often each cell runs (3; quick: 1)',
  seconds: 'how long a cell that measures a rate runs (2; quick: 0.5)',
  only: 'families: memory,sqlite,postgres,redis',
  rows: 'rows by name or beginning: dispatch,process.c10,latency',
  peers: 'peers by name: plainjob,graphile-tuned (ours are always there)',
  json: 'raw numbers as JSON to stdout, or to a file: --json=out.json',
  markdown: 'the tables alone, for the page',
  from: 'no run: the tables of a JSON file of an earlier one',
  postgres: 'the URL of a server that may create databases, instead of a private one',
  redis: 'the URL of an empty Redis database, emptied after each cell, instead of a private server',
  appendonly: 'the private Redis writes its log, flushed every second',
  'same-node': 'ours and the raw loops on the Node that the peers need',
  soak: 'only the memory of our worker over 200,000 jobs',
  'soak-jobs': 'how many jobs --soak runs (200000)',
  'cpu-prof': 'a directory for a CPU profile of every process of ours',
  help: 'this list',
};

/** @throws Error for a flag that is not known, naming those that are */
export function parseFlags(argv) {
  const flags = {};
  for (const argument of argv) {
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/.exec(argument) ?? [];
    if (name === undefined || !(name in KNOWN)) {
      throw new Error(`Unknown argument [${argument}]. Known are:\n${helpText()}`);
    }
    flags[name] = value ?? true;
  }
  const quick = flags.quick === true;
  const list = (value) => (typeof value === 'string' ? value.split(',').filter(Boolean) : undefined);
  return {
    help: flags.help === true,
    quick,
    rounds: positive('rounds', flags.rounds, quick ? 1 : 3),
    seconds: positive('seconds', flags.seconds, quick ? 0.5 : 2),
    only: list(flags.only) ?? ['memory', 'sqlite', 'postgres', 'redis'],
    rows: list(flags.rows),
    peers: list(flags.peers),
    json: flags.json,
    markdown: flags.markdown === true,
    from: flags.from,
    postgres: url('postgres', flags.postgres),
    redis: url('redis', flags.redis),
    appendonly: flags.appendonly === true,
    sameNode: flags['same-node'] === true,
    soak: flags.soak === true,
    soakJobs: positive('soak-jobs', flags['soak-jobs'], 200_000),
    cpuProf: typeof flags['cpu-prof'] === 'string' ? resolve(flags['cpu-prof']) : undefined,
  };
}

export function helpText() {
  return Object.entries(KNOWN)
    .map(([name, text]) => `  --${name.padEnd(10)} ${text}`)
    .join('\n');
}

function url(name, given) {
  if (given === true) throw new Error(`--${name} takes a URL: --${name}=${name}://host/…`);
  return given;
}

function positive(name, given, otherwise) {
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not [${given}].`);
  return value;
}
