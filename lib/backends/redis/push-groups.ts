import type { PushEntry } from '../../contracts/queue-driver.js';
import { entryFault } from '../entry-fault.js';
import type { QueueKeys } from './queue-keys.js';

/** Entries of one script, and characters of their bodies: about 3 ms of the server's time. */
const ENTRIES = 1_000;
const CHARACTERS = 4_000_000;

/** Entries by their place in the whole call, and what is to be done with them. */
export interface PushGroup {
  /** `far`: its lock is in another slot. */
  readonly kind: 'script' | 'far' | 'fault';
  readonly places: readonly number[];
  readonly entries: readonly PushEntry[];
  readonly fault?: unknown;
}

interface Open {
  places: number[];
  entries: PushEntry[];
  characters: number;
}

/** Entries in groups that go in one script each, those of a queue in order. Groups of unlike slots may be sent in any order. */
export function pushGroups(entries: readonly PushEntry[], keys: QueueKeys): readonly PushGroup[] {
  const groups: PushGroup[] = [];
  const open = new Map<string, Open>();
  let slot = '';
  let queue: string | undefined;
  const close = (name: string): void => {
    const group = open.get(name);
    if (group) groups.push({ kind: 'script', places: group.places, entries: group.entries });
    open.delete(name);
  };
  entries.forEach((entry, place) => {
    const fault = entryFault(entry);
    if (fault) return groups.push({ kind: 'fault', places: [place], entries: [entry], fault });
    if (entry.queue !== queue) {
      ({ queue } = entry);
      slot = keys.group(keys.base(queue));
    }
    if (entry.lock && !keys.together(keys.keyspace.lock(entry.lock.key), keys.base(entry.queue))) {
      close(slot);
      return groups.push({ kind: 'far', places: [place], entries: [entry] });
    }
    let group = open.get(slot);
    if (group && (group.entries.length >= ENTRIES || group.characters + entry.body.length > CHARACTERS)) {
      close(slot);
      group = undefined;
    }
    if (!group) open.set(slot, (group = { places: [], entries: [], characters: 0 }));
    group.places.push(place);
    group.entries.push(entry);
    group.characters += entry.body.length;
    return undefined;
  });
  for (const name of open.keys()) close(name);
  return groups;
}
