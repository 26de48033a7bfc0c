import type { PushEntry } from '../contracts/queue-driver.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** What is wrong with an entry, found before anything is written: one bad entry must not sink the statement of the others. */
export function entryFault(entry: PushEntry): InvalidOptionError | undefined {
  if (typeof entry !== 'object' || entry === null) return fault('', 'the entry', entry);
  if (!isName(entry.id)) return fault('', 'id', entry.id);
  if (!isName(entry.queue)) return fault(entry.id, 'queue', entry.queue);
  if (typeof entry.body !== 'string') return fault(entry.id, 'body', entry.body);
  if (!Number.isFinite(entry.delayMs)) return fault(entry.id, 'delayMs', entry.delayMs);
  if (entry.priority !== undefined && !isPriority(entry.priority)) return fault(entry.id, 'priority', entry.priority);
  if (entry.lock !== undefined) {
    const { key, owner, ttlMs } = entry.lock;
    if (!isName(key)) return fault(entry.id, 'lock.key', key);
    if (!isName(owner)) return fault(entry.id, 'lock.owner', owner);
    if (!isTtl(ttlMs)) return fault(entry.id, 'lock.ttlMs', ttlMs);
  }
  if (entry.once !== undefined && !isTtl(entry.once.ttlMs)) return fault(entry.id, 'once.ttlMs', entry.once.ttlMs);
  return undefined;
}

/** 32 bits, as every database keeps them. */
const isPriority = (value: unknown): boolean => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31;
const isName = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isTtl = (value: unknown): boolean => typeof value === 'number' && value >= 0;

function fault(id: string, field: string, value: unknown): InvalidOptionError {
  return new InvalidOptionError(
    `The job ${id === '' ? '' : `${id} `}cannot be stored: ${field} is ${describe(value)}.`,
  );
}
