import { start } from './fork.mjs';
import { figure } from './format.mjs';
import { describeMachine } from './machine.mjs';
import { Nodes } from './nodes.mjs';
import { peersFor, plan, rowsFor } from './plan.mjs';
import { openPostgres } from './postgres.mjs';
import { openRedis } from './redis.mjs';
import { gist } from './results.mjs';
import { Stores } from './stores.mjs';

/** Runs every cell of the plan, each in a process of its own. @returns machine, settings and raw results */
export async function measureAll(flags, say) {
  const nodes = new Nodes(flags);
  const postgres = flags.only.includes('postgres') ? await openPostgres(flags.postgres) : undefined;
  const redis = flags.only.includes('redis') ? await openRedis(flags) : undefined;
  const stores = new Stores({ postgresUrl: postgres?.url, redis });
  try {
    const canRun = (peer) => {
      if (peer.family === 'postgres' && postgres === undefined) return false;
      if (peer.family === 'redis' && redis === undefined) return false;
      if (nodes.of(peer) !== undefined) return true;
      say(
        `${peer.id} is left out: it needs Node ${peer.needs}, this is ${process.version}, and no other one is installed.`,
      );
      return false;
    };
    const peers = peersFor(flags, canRun);
    const cells = plan(rowsFor(flags), peers, flags.rounds);
    const nodeOf = (peer) => nodes.of(peer).version;
    const machine = await describeMachine({ peers, nodeOf, postgresUrl: postgres?.url, redisVersion: redis?.version });
    const results = [];
    for (const [index, cell] of cells.entries()) {
      const result = await runCell(cell, { flags, nodes, stores });
      results.push(result);
      say(`${index + 1}/${cells.length} ${line(result, cell)}`);
    }
    const { rounds, seconds, quick } = flags;
    return { machine, settings: { rounds, seconds, quick }, results };
  } finally {
    stores.close();
    await postgres?.stop();
  }
}

async function runCell({ row, peer, round }, { flags, nodes, stores }) {
  const { store, drop } = await stores.open(peer.family);
  const task = { row: row.id, peer, store, seconds: flags.seconds, quick: flags.quick, jobs: flags.soakJobs };
  const execArgv = row.soak ? ['--expose-gc'] : [];
  if (flags.cpuProf !== undefined && peer.ours) execArgv.push('--cpu-prof', `--cpu-prof-dir=${flags.cpuProf}`);
  const timeoutMs = row.soak ? 1_800_000 : 240_000;
  const named = { peer: peer.id, row: row.id, round };
  try {
    return { ...named, ...(await start(task, { execPath: nodes.of(peer).execPath, execArgv, timeoutMs }).result) };
  } catch (error) {
    return { ...named, error: error.message };
  } finally {
    await drop().catch((error) => process.stderr.write(`${error.message}\n`));
  }
}

function line({ peer, row, round, values, checks, error }, cell) {
  const at = `${row} ${peer} round ${round + 1}:`;
  if (error !== undefined) return `${at} failed: ${gist(error)}`;
  const shown = cell.row.lines.map(({ metric }) => `${metric} ${figure(values[metric])}`);
  const wrong = Object.entries(checks).flatMap(([what, count]) => (count === 0 ? [] : [`${what} ${count}!`]));
  return [at, ...shown, ...wrong].join(' ');
}
