import { QueueError } from '../support/queue-error.js';

/** Longer paths are cut in the middle of messages; `path` has them whole. */
const LONGEST_PATH_SHOWN = 160;

/** A job carries something that cannot be written down. Raised at dispatch; nothing was stored. */
export class UnserializableError extends QueueError {
  /** Where it is inside the job: `user.socket`, `items[3].file`, `lookup<key>`. */
  readonly path: string;

  /** @param problem what stands there, and what to do, as the rest of a sentence that begins with the path */
  constructor(jobName: string, path: string, problem: string, options?: { cause?: unknown }) {
    const shown =
      path.length > LONGEST_PATH_SHOWN
        ? `${path.slice(0, LONGEST_PATH_SHOWN / 2)}…${path.slice(-LONGEST_PATH_SHOWN / 2)}`
        : path;
    super(
      'ERR_QUEUE_UNSERIALIZABLE',
      `${jobName}${shown === '' || shown.startsWith('[') ? '' : '.'}${shown} ${problem}`,
      options,
    );
    this.path = path;
  }
}

/** What a store gave back is not what this package writes, or names something that is not registered here. */
export class InvalidPayloadError extends QueueError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('ERR_QUEUE_INVALID_PAYLOAD', message, options);
  }
}

/** An entity that a job carries is not in its table any more. */
export class EntityMissingError extends QueueError {
  /** @param id the primary key by property, as in `{ id: 7 }`; `{}` where it is not to be shown */
  constructor(
    readonly entity: string,
    readonly id: Readonly<Record<string, unknown>>,
  ) {
    const key = Object.entries(id).map(([property, value]) => `${property} ${idText(value)}`);
    super(
      'ERR_QUEUE_ENTITY_MISSING',
      `There is no ${entity} with ${key.join(' and ') || 'the key that the job carries'} any more. @DeleteWhenMissingEntities() on the job ends it quietly in this case.`,
    );
  }

  /** The same without the primary key: it is what an encrypted job carries. */
  withoutId(): EntityMissingError {
    return new EntityMissingError(this.entity, {});
  }
}

function idText(value: unknown): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return String(value);
}
