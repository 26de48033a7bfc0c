/**
 * What is compared. `needs` is the Node version a peer asks for; `rows` narrows where it runs; `reference` is what the ratios of a
 * family's table are taken against.
 */
export const PEERS = [
  { id: 'ours-memory', family: 'memory', module: 'ours', ours: true },

  { id: 'raw-sqlite', family: 'sqlite', module: 'raw-sqlite', raw: true },
  // The prebuilt binary of better-sqlite3 13 comes inside its npm package and asks for Node 22.
  { id: 'plainjob', family: 'sqlite', module: 'plainjob', needs: '22.12.0', reference: true },
  { id: 'ours-sqlite', family: 'sqlite', module: 'ours', ours: true },

  { id: 'raw-pg', family: 'postgres', module: 'raw-pg', raw: true },
  { id: 'raw-pg-batch', family: 'postgres', module: 'raw-pg', options: { batch: 500 }, raw: true, rows: ['process'] },
  { id: 'pgboss', family: 'postgres', module: 'pg-boss', needs: '22.12.0' },
  { id: 'graphile', family: 'postgres', module: 'graphile', needs: '22.18.0', reference: true },
  {
    id: 'graphile-tuned',
    family: 'postgres',
    module: 'graphile',
    options: { localQueue: 500 },
    needs: '22.18.0',
  },
  { id: 'bullmq-pg', family: 'postgres', module: 'bullmq-pg' },
  { id: 'ours-pg', family: 'postgres', module: 'ours', ours: true },
  {
    id: 'ours-pg-prefetch',
    family: 'postgres',
    module: 'ours',
    options: { prefetch: 500 },
    ours: true,
    rows: ['process', 'cost'],
  },

  { id: 'raw-redis', family: 'redis', module: 'raw-redis', raw: true },
  {
    id: 'raw-redis-slots',
    family: 'redis',
    module: 'raw-redis',
    options: { batch: 'slots' },
    raw: true,
    rows: ['process'],
  },
  { id: 'raw-redis-batch', family: 'redis', module: 'raw-redis', options: { batch: 50 }, raw: true },
  { id: 'bullmq', family: 'redis', module: 'bullmq', reference: true },
  { id: 'nestjs-bullmq', family: 'redis', module: 'nestjs-bullmq' },
  { id: 'ours-redis', family: 'redis', module: 'ours', ours: true },
];

/** Rows are named by their beginning: `process` stands for process.c1, process.c10.1k and so on. */
export function named(row, names) {
  return names === undefined || names.some((name) => row === name || row.startsWith(`${name}.`));
}
