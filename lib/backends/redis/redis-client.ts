import type { Socket } from 'node:net';
import { loadPeer } from '../../support/load-peer.js';
import type { Arg } from './link.js';

/** What is used of ioredis, by shape: its own types are not part of ours, and an instance may come from another copy of it. */
export interface RedisNode {
  readonly status: string;
  readonly isCluster?: false;
  readonly options: RedisOptionsLike;
  /** The connection of now. */
  readonly stream?: Socket | null;
  connect(): Promise<unknown>;
  /** @param reconnect tries again instead of ending */
  disconnect(reconnect?: boolean): void;
  /** A command by its name. */
  call(name: string): unknown;
  duplicate(override: object): RedisNode;
  sendCommand(command: RedisCommand): unknown;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  once(event: string, listener: (...args: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
}

export interface RedisCluster extends Omit<RedisNode, 'duplicate' | 'isCluster' | 'stream'> {
  readonly isCluster: true;
  readonly stream?: undefined;
  nodes(role: 'all' | 'master' | 'slave'): RedisNode[];
  duplicate(nodes: readonly unknown[], override: object): RedisCluster;
  /** Not in its documentation. */
  refreshSlotsCache?(done?: (error?: unknown) => void): void;
}

export type RedisClient = RedisNode | RedisCluster;

export interface RedisOptionsLike {
  readonly keyPrefix?: string;
  readonly db?: number;
  readonly redisOptions?: RedisOptionsLike;
  readonly [option: string]: unknown;
}

export interface RedisCommand {
  readonly promise: Promise<unknown>;
}

export interface RedisCommandClass {
  new (
    name: string,
    args: readonly Arg[],
    options: { readonly keyPrefix?: string | undefined; readonly replyEncoding: 'utf8' },
  ): RedisCommand & { toWritable(socket: unknown): string | Buffer; transformReply(reply: unknown): unknown };
}

/** The package as it is imported. */
export interface RedisPackage {
  readonly Redis: new (options: object) => RedisNode;
  readonly Cluster: new (nodes: readonly unknown[], options: object) => RedisCluster;
}

/** @throws MissingPackageError */
export function loadRedis(): Promise<RedisPackage> {
  const peer = { name: 'ioredis', purpose: 'A connection with the driver redis', install: 'npm i ioredis' };
  return loadPeer(peer, () => import('ioredis')) as unknown as Promise<RedisPackage>;
}

/** Whether an option is a client of ioredis, of whichever copy. */
export function isRedisClient(value: unknown): value is RedisClient {
  const client = value as Partial<RedisNode> | null | undefined;
  return (
    typeof client === 'object' &&
    client !== null &&
    typeof client.sendCommand === 'function' &&
    typeof client.duplicate === 'function' &&
    typeof client.status === 'string'
  );
}

/**
 * The class of the commands that a client sends: that of its own copy of the package, which need not be the one that is found from here.
 * It is taken from a command that the client makes and does not send.
 *
 * @param client of our own: nobody else sends over it meanwhile
 */
export function commandClassOf(client: RedisClient): RedisCommandClass {
  let made: RedisCommand | undefined;
  const own = client as { sendCommand?: unknown; call(name: string): unknown };
  own.sendCommand = (command: RedisCommand) => {
    made = command;
    return Promise.resolve();
  };
  try {
    void own.call('ping');
  } finally {
    delete own.sendCommand;
  }
  if (made === undefined) throw new TypeError('The ioredis client makes no commands: use ioredis 5.4 or later.');
  return made.constructor as RedisCommandClass;
}
