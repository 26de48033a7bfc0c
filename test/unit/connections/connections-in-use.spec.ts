import { describe, expect, it } from '@jest/globals';
import { resolveConnections, type ConnectionsOptions } from '../../../lib/connections/connection-config.js';
import { connectionsInUse, homeOf } from '../../../lib/connections/connections-in-use.js';

const used = (options: ConnectionsOptions) => connectionsInUse(resolveConnections(options, {}));
const home = (options: ConnectionsOptions, kind: 'failed' | 'batching' = 'failed') =>
  homeOf(resolveConnections(options, {}), kind);

describe('the connections in use', () => {
  it('are the default one and those configured', () => {
    expect(used({})).toEqual(['database']);
    expect(used({ default: 'memory' })).toEqual(['memory']);
    expect(used({ default: 'memory', connections: { reports: { driver: 'database' } } })).toEqual([
      'reports',
      'memory',
    ]);
  });

  it('and the one that keeps what the default one cannot', () => {
    expect(used({ default: 'sync' })).toEqual(['sync', 'database']);
    expect(used({ default: 'jobs', connections: { jobs: { driver: 'sqs', region: 'x' } } })).toEqual([
      'jobs',
      'database',
    ]);
  });

  it('and those that stores were given', () => {
    expect(used({ default: 'memory', failed: { driver: 'database' } })).toEqual(['memory', 'database']);
    expect(used({ default: 'memory', batching: { driver: 'database' } })).toEqual(['memory', 'database']);
    expect(used({ default: 'memory', locks: { connection: 'database' } })).toEqual(['memory', 'database']);
  });
});

describe('the home of failed jobs and batches', () => {
  it('is the one they were given, else the default one, else the first database', () => {
    expect(home({})).toBe('database');
    expect(home({ default: 'memory' })).toBe('memory');
    expect(home({ default: 'sync', connections: { reports: { driver: 'database' } } })).toBe('reports');
    expect(
      home({ connections: { two: { driver: 'database' } }, failed: { driver: 'database', connection: 'two' } }),
    ).toBe('two');
    expect(home({ failed: { driver: 'null' } })).toBeUndefined();
    expect(home({ batching: { driver: 'memory' } }, 'batching')).toBe('memory');
  });
});
