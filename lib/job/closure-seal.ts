import { createHmac, timingSafeEqual } from 'node:crypto';
import type { InjectionToken } from '@nestjs/common';
import type { InlineClosure } from '../contracts/dispatchable.js';
import { JOB_REF } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { checkedSource, ClosureSourceError } from './closure-check.js';
import { SignatureError } from './envelope-signature.js';
import type { KeyRing } from './key-ring.js';
import type { PayloadCodec } from './payload-codec.js';

/** How a dependency of a closure travels: a class by its name, a token that is text as it is, the running job. */
export type InjectedName = { readonly class: string } | { readonly token: string } | { readonly job: true };

/** A function whose source travels. */
export interface SourceParts {
  readonly fn: InlineClosure;
  readonly values: object;
  readonly inject: readonly InjectionToken[];
}

const SCHEME = 'v1';
const MAC = /^v1\.([A-Za-z0-9_.-]{1,64})\.[A-Za-z0-9_-]{43}$/;

/**
 * Writes closures down as their source, signed under a key that is made for this alone, and judges those that come back. Whoever has
 * the module's key can have code run by its workers.
 */
export class SealedSources {
  readonly #ring: KeyRing;

  constructor(ring: KeyRing) {
    this.#ring = ring;
  }

  /** From the module's options; `undefined` where sources do not travel. @throws InvalidOptionError without a key */
  static of(closures: { readonly source: unknown } | undefined, ring: KeyRing | undefined): SealedSources | undefined {
    const source = closures?.source;
    if (closures !== undefined && source !== 'refuse' && source !== 'signed') {
      throw new InvalidOptionError(
        `QueueModule: closures.source is ${describe(source)}. Give 'refuse', which is the default, or 'signed'.`,
      );
    }
    if (source !== 'signed') return undefined;
    if (ring === undefined) {
      throw new InvalidOptionError(
        "QueueModule: closures: { source: 'signed' } needs a key. Set the option key (QUEUE_KEY); queue:key prints a fresh one.",
      );
    }
    return new SealedSources(ring);
  }

  /** @throws ClosureSourceError, UnserializableError for what cannot travel */
  write(
    { fn, values, inject }: SourceParts,
    { uuid, shown }: { readonly uuid: string; readonly shown: string },
    codec: PayloadCodec,
  ): object {
    const source = checkedSource(fn, shown);
    const names = inject.map((token, index) => injectedName(token, index, shown));
    const data = codec.encode({ source, values, inject: names }, shown);
    return { ...data, mac: this.#macOf(data, uuid, this.#ring.current)! };
  }

  /** Why what came from a store must not be compiled; `undefined` where it may. */
  refusal(envelope: JobEnvelope, id: string): SignatureError | undefined {
    const { displayName: shown, data } = envelope;
    const { mac, ...signed } = (typeof data === 'object' ? data : {}) as Record<string, unknown>;
    const kid = typeof mac === 'string' ? MAC.exec(mac)?.[1] : undefined;
    const expected = kid === undefined ? undefined : this.#macOf(signed, id, kid);
    if (expected === undefined) {
      return new SignatureError(
        kid === undefined
          ? `${shown} is a closure without a signature. It was not run; its bytes are kept.`
          : `${shown} is a closure signed under the key "${kid}", which this process does not have. Add it to QueueModule's key.keys, then retry the job.`,
      );
    }
    if (sameText(mac as string, expected) && envelope.uuid === id) return undefined;
    return new SignatureError(
      `The signature of the closure ${shown} does not hold: it was changed, stands under another job's id, or was signed under another key of the id "${kid}". It was not run; its bytes are kept.`,
    );
  }

  /** The data of a closure, signed anew for another job. @throws SignatureError where its signature does not hold */
  moved(envelope: JobEnvelope, uuid: string): object {
    const fault = this.refusal(envelope, envelope.uuid);
    if (fault) throw fault;
    const { mac: _before, ...data } = envelope.data as Record<string, unknown>;
    return { ...data, mac: this.#macOf(data, uuid, this.#ring.current)! };
  }

  /** Over everything but itself, for one job alone. */
  #macOf(data: object, uuid: string, kid: string): string | undefined {
    const key = this.#ring.subKey(kid, 'closure-mac');
    if (!key) return undefined;
    const mac = createHmac('sha256', key).update(`nestjs-queue closure ${SCHEME}\n${kid}\n${uuid}\n`);
    return `${SCHEME}.${kid}.${mac.update(JSON.stringify(data)).digest('base64url')}`;
  }
}

function injectedName(token: InjectionToken, index: number, shown: string): InjectedName {
  if (token === JOB_REF) return { job: true };
  if (typeof token === 'string') return { token };
  if (typeof token === 'function' && token.name !== '') return { class: token.name };
  throw new ClosureSourceError(
    `${shown} injects ${typeof token === 'function' ? 'a class without a name' : String(token)} (number ${index}), which another process could not find by name. Use a class, a text or JOB_REF as token.`,
  );
}

/** In a time that does not tell how much of it is right. */
function sameText(one: string, other: string): boolean {
  const a = Buffer.from(one, 'utf8');
  const b = Buffer.from(other, 'utf8');
  return a.length === b.length && timingSafeEqual(a, b);
}
