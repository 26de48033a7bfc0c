import { describe, expect, it } from '@jest/globals';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';
import { EnvelopeSeals, UNSEALED } from '../../../lib/job/envelope-seals.js';
import { withFreshCallbacks } from '../../../lib/job/renew-ids.js';

const job = (name: string, more: Partial<JobEnvelope> = {}): JobEnvelope => ({
  v: 1,
  uuid: `id of ${name}`,
  name,
  displayName: name,
  data: {},
  createdAt: 0,
  ...more,
});

describe('withFreshCallbacks', () => {
  it('leaves a job without callbacks as it is', () => {
    const plain = job('plain', { chain: { rest: [job('next')] } });
    expect(withFreshCallbacks(plain, 'nonce', UNSEALED)).toBe(plain);
  });

  it('gives callbacks, and what follows them, other ids: the same for the same nonce', () => {
    const caught = job('caught', { chain: { rest: [job('and then')], catch: [job('and if that fails')] } });
    const failed = job('failed', { chain: { rest: [job('next')], catch: [caught, job('too')], queue: 'q' } });
    const fresh = withFreshCallbacks(failed, 'first', UNSEALED);
    expect(fresh.uuid).toBe(failed.uuid);
    expect(fresh.chain).toMatchObject({ rest: failed.chain!.rest, queue: 'q' });
    const ids = (one: JobEnvelope): string[] => [
      one.uuid,
      ...[...(one.chain?.rest ?? []), ...(one.chain?.catch ?? [])].flatMap(ids),
    ];
    const before = failed.chain!.catch!.flatMap(ids);
    const after = fresh.chain!.catch!.flatMap(ids);
    expect(after).toHaveLength(4);
    expect(new Set([...before, ...after]).size).toBe(8);
    expect(withFreshCallbacks(failed, 'first', UNSEALED)).toEqual(fresh);
    expect(withFreshCallbacks(failed, 'second', UNSEALED)).not.toEqual(fresh);
  });

  it('seals what was sealed anew, and leaves it alone where that cannot be', () => {
    const seals = EnvelopeSeals.of({ key: 'a key of more than thirty-two characters', signing: 'require' });
    const uuid = 'id of secret';
    const data = seals.seal({ pin: 1 }, { uuid, name: 'secret' }, 'secret');
    const middleware = seals.seal([{ name: 'Skip' }], { uuid, name: 'secret', part: 'middleware' }, 'secret');
    const secret = seals.signed(job('secret', { uuid, encrypted: true, data, middleware }));
    const failed = seals.signed(job('failed', { chain: { rest: [], catch: [secret] } }));
    const [fresh] = withFreshCallbacks(failed, 'nonce', seals).chain!.catch!;
    expect(fresh!.uuid).not.toBe(uuid);
    expect(seals.refusal(fresh!, fresh!.uuid)).toBeUndefined();
    expect(seals.open(fresh!, fresh!.uuid)).toEqual({ pin: 1 });
    expect(seals.openMiddleware(fresh!, fresh!.uuid)).toEqual([{ name: 'Skip' }]);
    expect(withFreshCallbacks(failed, 'nonce', UNSEALED).chain!.catch).toEqual([secret]);
  });
});
