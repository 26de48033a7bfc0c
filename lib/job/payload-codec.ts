import type { EntityReferences } from './entity-reference.js';
import type { EntityRequest } from './entity-loader.js';
import { InvalidPayloadError } from './payload-errors.js';
import { PayloadReader, referenceNodes, type LoadedEntities } from './payload-reader.js';
import { malformed, TAG } from './payload-types.js';
import { PayloadWriter } from './payload-writer.js';
import { registeredValues, type ValueTypes } from './value.decorator.js';

/** What `decode()` gives. */
export interface DecodedPayload {
  /** Own properties, to be defined on the job one by one. Empty while there are `pending` entities. */
  fields: Record<string, unknown>;
  /** Set while entities have to be fetched: call `resolve()`. */
  pending?: PendingEntities;
}

export interface PendingEntities {
  readonly requests: readonly EntityRequest[];
  /** @internal */
  readonly nodes: readonly unknown[];
  /** @internal */
  readonly data: unknown;
}

const NOTHING_LOADED: LoadedEntities = new Map();

/**
 * Turns a job's fields into a tree that JSON can carry, and back.
 *
 * Fields that JSON has words for travel as they are: `{ "podcastId": 7 }`. Others are marked on the outside, and the reader looks for
 * tags only there: `{ "$t": "Fields", "v": { "at": { "$t": "Date", "v": "2030-01-01T00:00:00.000Z" } } }`. Both ways are one
 * synchronous pass; only entities cost a promise.
 */
export class PayloadCodec {
  constructor(
    private readonly values: ValueTypes = registeredValues(),
    private readonly entities?: EntityReferences,
  ) {}

  /**
   * The tree that travels. Stringify it before the fields change: what JSON can carry is not copied.
   *
   * @param fields the job's own fields; methods, policies and injected properties are already left out
   * @param jobName for the message of an error
   * @param relationsDropped whether entities in a field leave their relations behind
   * @param secret keeps what the job carries out of errors
   * @throws UnserializableError naming the path
   */
  encode(
    fields: Readonly<Record<string, unknown>>,
    jobName: string,
    relationsDropped?: (field: string) => boolean,
    secret = false,
  ): object {
    return new PayloadWriter(jobName, this.values, this.entities, relationsDropped, secret).fields(fields);
  }

  /**
   * The fields. Where nothing is tagged they are `data` itself, checked; whoever needs the fields twice parses the text twice.
   *
   * @throws InvalidPayloadError for everything that `encode()` does not write
   */
  decode(data: unknown): DecodedPayload {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      throw new InvalidPayloadError('The stored payload holds no fields: an object was expected.');
    }
    if (!Object.hasOwn(data, TAG)) {
      new PayloadReader(this.values, NOTHING_LOADED).check(data);
      return { fields: data as Record<string, unknown> };
    }
    const { [TAG]: type, v, entities } = data as Record<string, unknown>;
    if (type !== 'Fields') throw malformed('payload');
    if (entities !== true) return { fields: new PayloadReader(this.values, NOTHING_LOADED).properties(v, 0) };
    return { fields: {}, pending: this.pending(v) };
  }

  /**
   * Fetches the entities and completes `fields`. Nothing to do, and nothing to wait for, without `pending`.
   *
   * @throws EntityMissingError when a row is gone; a member of a list of entities is left out instead
   */
  async resolve(decoded: DecodedPayload): Promise<void> {
    const { pending } = decoded;
    if (!pending) return;
    const loaded = await this.entities!.load(pending.requests);
    const byNode: LoadedEntities = new Map(pending.nodes.map((node, index) => [node, loaded[index]!]));
    decoded.fields = new PayloadReader(this.values, byNode).properties(pending.data, 0);
    delete decoded.pending;
  }

  private pending(data: unknown): PendingEntities {
    const references = this.entities;
    if (!references) {
      throw new InvalidPayloadError(
        'The stored payload carries TypeORM entities, and this process has no DataSource. Add TypeOrmModule to it.',
      );
    }
    const nodes = referenceNodes(data);
    return { nodes, data, requests: nodes.map((node) => references.request(node)) };
  }
}
