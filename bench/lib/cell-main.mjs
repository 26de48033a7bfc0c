// One process of one cell: opens the peer, runs its part, sends the result to the process that started it.
import { findRow } from './rows.mjs';
import { partOf } from './parts.mjs';

// Whoever started this process has gone: nobody wants the result.
process.on('disconnect', () => process.exit(2));

const task = JSON.parse(process.argv[2]);

async function main() {
  const { open } = await import(`../peers/${task.peer.module}.mjs`);
  const openQueue = () => open({ family: task.peer.family, store: task.store, options: task.peer.options });
  if (task.part === undefined) return findRow(task.row).run({ ...task, openQueue });
  return partOf(task.part)({ ...task, openQueue });
}

try {
  const result = await main();
  process.send({ result }, () => process.exit(0));
} catch (error) {
  process.send({ error: String(error?.stack ?? error) }, () => process.exit(1));
}
