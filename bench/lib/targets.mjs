/**
 * What is to be reached: ratios within one run against the peers in their best documented setting, or limits of our own.
 *
 * `at least` and `at most` are factors of what the best of `against` reaches in the same round, `under` and `no less than` are plain
 * figures. `of` compares with another row of the same peer.
 */
const SQLITE = { name: 'plainjob', peers: ['plainjob'] };
const DEFAULT = { name: 'graphile', peers: ['graphile'] };
const TUNED = { name: 'graphile-tuned', peers: ['graphile-tuned'] };
const UNBATCHED = { name: 'the best unbatched peer', peers: ['pgboss', 'graphile', 'bullmq-pg'] };
const POSTGRES = { name: 'the best peer', peers: ['pgboss', 'graphile', 'graphile-tuned', 'bullmq-pg'] };

const rate = (row, peer, factor, against) => ({ row, metric: 'rate', peer, kind: 'at least', value: factor, against });
const under = (row, metric, peer, value) => ({ row, metric, peer, kind: 'under', value });

export const TARGETS = [
  rate('dispatch.serial', 'ours-sqlite', 0.9, SQLITE),
  rate('dispatch.c100', 'ours-sqlite', 1, SQLITE),
  rate('dispatch.bulk10k', 'ours-sqlite', 0.9, SQLITE),
  rate('process.c1', 'ours-sqlite', 1.5, SQLITE),
  rate('process.c10', 'ours-sqlite', 4, SQLITE),
  rate('process.c100', 'ours-sqlite', 6, SQLITE),
  rate('process.c10x2', 'ours-sqlite', 4, SQLITE),
  under('latency', 'p50', 'ours-sqlite', 20),
  ...lateness('ours-sqlite', 30, 100),
  ...steadyClaims('ours-sqlite'),
  under('rss', 'filled', 'ours-sqlite', 130),
  ...idle('ours-sqlite'),

  rate('dispatch.serial', 'ours-pg', 1.5, POSTGRES),
  rate('dispatch.c100', 'ours-pg', 3, POSTGRES),
  rate('dispatch.bulk10k', 'ours-pg', 1.5, POSTGRES),
  rate('process.c1', 'ours-pg-prefetch', 1, TUNED),
  rate('process.c1', 'ours-pg', 1, UNBATCHED),
  rate('process.c10', 'ours-pg', 10, DEFAULT),
  rate('process.c10', 'ours-pg-prefetch', 1, TUNED),
  rate('process.c100', 'ours-pg', 1, TUNED),
  rate('process.c10x2', 'ours-pg', 1, TUNED),
  rate('process.c10x2', 'ours-pg-prefetch', 1, TUNED),
  { row: 'latency', metric: 'p50', peer: 'ours-pg', kind: 'at most', value: 1, against: POSTGRES },
  { row: 'latency', metric: 'p99', peer: 'ours-pg', kind: 'at most', value: 1, against: POSTGRES },
  ...lateness('ours-pg', 10, 50),
  under('storage', 'bytes', 'ours-pg', 300),
  ...steadyClaims('ours-pg'),
  under('rss', 'filled', 'ours-pg', 130),
  ...idle('ours-pg'),
];

function lateness(peer, p50, p99) {
  return [
    under('delayed.lateness', 'p50', peer, p50),
    under('delayed.lateness', 'p99', peer, p99),
    { row: 'delayed.lateness', metric: 'earliest', peer, kind: 'no less than', value: 0 },
  ];
}

function steadyClaims(peer) {
  const of = { row: 'backlog.10k', metric: 'process' };
  return [{ row: 'backlog.200k', metric: 'process', peer, kind: 'at least', value: 0.8, of }];
}

function idle(peer) {
  return [under('idle', 'core', peer, 2), { row: 'idle', metric: 'queries', peer, kind: 'at most', value: 1 }];
}
