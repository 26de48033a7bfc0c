import type { PushEntry } from '../contracts/queue-driver.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import type { FluentOptions } from './fluent-options.js';
import type { JobDefinition } from './job-definition.js';
import { readName } from './job-policies.js';

/**
 * What a job says to stores that keep groups in order and drop repeats: `onGroup()`, else `messageGroup`; `withDeduplicator()`, else
 * `deduplicationId(payload)`. Other stores do not look at it.
 *
 * @throws InvalidOptionError for what is no text
 */
export function messageOptions(
  job: object,
  definition: JobDefinition,
  said: Pick<FluentOptions, 'group' | 'deduplicator'>,
  body: string,
): Pick<PushEntry, 'group' | 'dedupe'> | undefined {
  const { messageGroup, deduplicationId } = job as { messageGroup?: unknown; deduplicationId?: unknown };
  if (!said.group && !said.deduplicator && messageGroup === undefined && deduplicationId === undefined)
    return undefined;
  const group = said.group ?? readName(job, 'messageGroup', definition);
  const own: unknown =
    typeof deduplicationId === 'function'
      ? (deduplicationId as (body: string) => unknown).call(job, body)
      : deduplicationId;
  const dedupe: unknown = said.deduplicator ? said.deduplicator(body) : own;
  // Nothing said leaves it to the store, which may go by the contents.
  if (dedupe === undefined || dedupe === null || dedupe === '') return group === undefined ? undefined : { group };
  if (typeof dedupe !== 'string') {
    throw new InvalidOptionError(
      `The deduplication id of ${definition.type.name} is ${describe(dedupe)}. Give a text from withDeduplicator() or deduplicationId().`,
    );
  }
  return { ...(group !== undefined && { group }), dedupe };
}
