import type { ResolvedConnections, ResolvedStore } from './connection-config.js';

/** Drivers that keep failed jobs, batches, locks and marks themselves. */
const KEEPERS: ReadonlySet<string> = new Set(['memory', 'database', 'redis']);

/** The connection that keeps failed jobs or batches; `undefined` where none does. */
export function homeOf(config: ResolvedConnections, kind: 'failed' | 'batching'): string | undefined {
  const place: ResolvedStore = config[kind];
  if (place.kind === 'connection') return place.connection;
  return place.kind === 'own' ? ownHome(config) : undefined;
}

/**
 * The connections that the module lives on, as far as its options tell: those they name, the default one, and where failed jobs, batches,
 * locks and marks are kept. What always exists and nobody mentions is not among them.
 */
export function connectionsInUse(config: ResolvedConnections): readonly string[] {
  const used = new Set<string | undefined>([
    ...config.configured,
    config.default,
    ownHome(config),
    homeOf(config, 'failed'),
    homeOf(config, 'batching'),
    config.locks.kind === 'connection' ? config.locks.connection : undefined,
  ]);
  return [...config.connections.keys()].filter((name) => used.has(name));
}

/** Where records go that were given no place. */
function ownHome(config: ResolvedConnections): string | undefined {
  if (KEEPERS.has(config.connections.get(config.default)!.driver)) return config.default;
  return [...config.connections.values()].find(({ driver }) => driver === 'database')?.name;
}
