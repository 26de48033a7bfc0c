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

const BULLMQ = { name: 'bullmq', peers: ['bullmq'] };

const rate = (row, peer, factor, against) => ({ row, metric: 'rate', peer, kind: 'at least', value: factor, against });
const under = (row, metric, peer, value, against) => ({ row, metric, peer, kind: 'under', value, against });
const atMost = (row, metric, peer, value, against) => ({ row, metric, peer, kind: 'at most', value, against });

export const TARGETS = [
  under('process.c100', 'cpu', 'ours-memory', 15),
  ...batches('ours-memory'),

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
  ...batches('ours-sqlite'),
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
  atMost('latency', 'p50', 'ours-pg', 1, POSTGRES),
  atMost('latency', 'p99', 'ours-pg', 1, POSTGRES),
  ...lateness('ours-pg', 10, 50),
  under('storage', 'bytes', 'ours-pg', 300),
  ...steadyClaims('ours-pg'),
  under('rss', 'filled', 'ours-pg', 130),
  ...batches('ours-pg'),
  ...idle('ours-pg'),

  rate('dispatch.serial', 'ours-redis', 2, BULLMQ),
  rate('dispatch.c100', 'ours-redis', 2.5, BULLMQ),
  rate('dispatch.bulk10k', 'ours-redis', 20, BULLMQ),
  rate('process.c1', 'ours-redis', 2, BULLMQ),
  rate('process.c10', 'ours-redis', 4, BULLMQ),
  rate('process.c100', 'ours-redis', 4, BULLMQ),
  rate('process.c10x2', 'ours-redis', 3, BULLMQ),
  atMost('latency', 'p50', 'ours-redis', 0.6, BULLMQ),
  atMost('latency', 'p99', 'ours-redis', 0.8, BULLMQ),
  ...lateness('ours-redis', 10, 50),
  under('storage', 'bytes', 'ours-redis', 1, BULLMQ),
  ...steadyClaims('ours-redis', 'backlog.1000k'),
  under('rss', 'filled', 'ours-redis', 1, BULLMQ),
  ...batches('ours-redis'),
  under('cost.redis', 'trips100', 'ours-redis', 0.1),
];

/** A batch costs its members no more than this. */
function batches(peer) {
  return ['batch.c10', 'batch.c100'].map((row) => ({ row, metric: 'share', peer, kind: 'no less than', value: 0.7 }));
}

function lateness(peer, p50, p99) {
  return [
    under('delayed.lateness', 'p50', peer, p50),
    under('delayed.lateness', 'p99', peer, p99),
    { row: 'delayed.lateness', metric: 'earliest', peer, kind: 'no less than', value: 0 },
  ];
}

function steadyClaims(peer, row = 'backlog.200k') {
  const of = { row: 'backlog.10k', metric: 'process' };
  return [{ row, metric: 'process', peer, kind: 'at least', value: 0.8, of }];
}

function idle(peer) {
  return [under('idle', 'core', peer, 2), atMost('idle', 'queries', peer, 1)];
}
