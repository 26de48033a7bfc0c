import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { JobContext } from '../../../lib/contracts/job-context.js';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';
import { Job } from '../../../lib/job/job.decorators.js';
import { definitionOf } from '../../../lib/job/job-definition.js';
import { reviveJob, verdictOnRevival } from '../../../lib/job/job-reviver.js';
import { EnvelopeSeals } from '../../../lib/job/envelope-seals.js';
import { SignatureError } from '../../../lib/job/envelope-signature.js';
import { PayloadCodec } from '../../../lib/job/payload-codec.js';
import { EntityMissingError, InvalidPayloadError } from '../../../lib/job/payload-errors.js';
import { DecryptionError } from '../../../lib/job/payload-seal.js';
import { registeredValues, Value } from '../../../lib/job/value.decorator.js';

const ID = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11';
const seals = EnvelopeSeals.of({ key: 'a key of more than thirty-two characters' });

@Job()
class Charge {
  handle(): void {}
}
@Value()
class Card {
  constructor(readonly number: string) {}
  toJSON(): unknown {
    return this.number;
  }
  static fromJSON(json: unknown): Card {
    throw new Error(`cannot read ${String(json)}`);
  }
}
const context = { id: ID } as JobContext;
const definition = definitionOf(Charge);
const codec = new PayloadCodec(registeredValues());
const sealed = (data: object): JobEnvelope => ({
  v: 1,
  uuid: ID,
  name: 'Charge',
  displayName: 'Charge',
  createdAt: 1,
  encrypted: true,
  data: seals.seal(data, { uuid: ID, name: 'Charge' }, 'Charge'),
});
const failure = async (envelope: JobEnvelope, by = codec): Promise<unknown> => {
  try {
    await reviveJob(definition, envelope, context, by, seals);
  } catch (error) {
    return error;
  }
  throw new Error('It was brought back.');
};

describe('an encrypted job that is brought back', () => {
  let envelope: JobEnvelope;
  beforeEach(() => {
    envelope = sealed(codec.encode({ card: '4111', at: new Date(5) }, 'Charge'));
  });

  it('is whole, and its envelope is still sealed', async () => {
    const before = JSON.stringify(envelope);
    const job = await reviveJob(definition, envelope, context, codec, seals);
    expect(job).toBeInstanceOf(Charge);
    expect({ ...job }).toEqual({ card: '4111', at: new Date(5) });
    expect(JSON.stringify(envelope)).toBe(before);
    expect(before).not.toContain('4111');
  });

  it('fails for good where it cannot be opened', async () => {
    const error = await failure({ ...envelope, uuid: ID, data: '{}' });
    expect(error).toBeInstanceOf(DecryptionError);
    expect(verdictOnRevival(error, envelope)).toBe('failed');
    expect(verdictOnRevival(new SignatureError('no'), envelope)).toBe('failed');
    expect(verdictOnRevival(new Error('no'), envelope)).toBeUndefined();
  });

  it('does not tell which entity was missing', async () => {
    const missing = new EntityMissingError('Card', { number: 'canary' });
    const gone = {
      decode: () => ({ fields: {}, pending: {} }),
      resolve: () => Promise.reject(missing),
    } as unknown as PayloadCodec;
    const error = await failure(envelope, gone);
    expect(error).toBeInstanceOf(EntityMissingError);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary');
    expect((error as Error).message).toMatch(/^There is no Card with the key that the job carries any more/);
    expect(verdictOnRevival(error, envelope)).toBe('failed');
    expect(verdictOnRevival(error, { ...envelope, deleteWhenMissingEntities: true })).toBe('done');
    // In the clear it does.
    expect(await failure({ ...envelope, encrypted: false, data: {} }, gone)).toBe(missing);
  });

  it('does not tell what a class of values said of one', async () => {
    const data = codec.encode({ card: new Card('canary') }, 'Charge');
    const error = await failure(sealed(data));
    expect(error).toBeInstanceOf(InvalidPayloadError);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary');
    const open = await failure({ ...envelope, encrypted: false, data });
    expect((open as Error).message).toContain('cannot read canary');
  });
});
