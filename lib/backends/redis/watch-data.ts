import { cloneable, type RedisConnectionOptions, type RedisPlace } from './redis-options.js';

/** What crosses into a watchdog's thread. */
export interface RedisWatchData {
  readonly connection: string;
  readonly place: RedisPlace;
  readonly prefix: string | undefined;
}

/** `undefined` where the servers cannot be reached by data alone: a client of the application, or functions among the options. */
export function watchData(
  place: RedisPlace,
  { prefix }: RedisConnectionOptions,
  connection: string,
): RedisWatchData | undefined {
  const copy = cloneable(place);
  return copy && { connection, place: copy, prefix };
}
