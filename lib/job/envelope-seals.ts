import type { JobEnvelope } from '../contracts/job-envelope.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { SealedSources } from './closure-seal.js';
import { SignatureError, signatureFault, signEnvelope } from './envelope-signature.js';
import { KeyRing, type KeyOption } from './key-ring.js';
import { DecryptionError, openText, sealText, type SealedFor } from './payload-seal.js';

/** Whether a kind of job is signed whenever there is a key, and refused unsigned then. */
export interface Signable {
  readonly signed?: boolean | undefined;
}

/** The module's options that this is about. */
export interface SealOptions {
  readonly key?: KeyOption | undefined;
  readonly signing?: unknown;
  readonly closures?: { readonly source: unknown } | undefined;
}

/** What a module does to keep its payloads secret and its own: encrypts, signs, and judges what comes back from a store. */
export class EnvelopeSeals {
  readonly #ring: KeyRing | undefined;

  constructor(
    ring?: KeyRing,
    /** Every job is signed, and one that is not is refused. */
    readonly requireSigned = false,
    /** Present where the source of a closure may travel. */
    readonly sources?: SealedSources,
  ) {
    this.#ring = ring;
  }

  /** From the module's options. @throws InvalidOptionError for a key that cannot be, and for `signing: 'require'` without one */
  static of({ key, signing, closures }: SealOptions): EnvelopeSeals {
    if (signing !== undefined && signing !== 'off' && signing !== 'require') {
      throw new InvalidOptionError(
        `QueueModule: signing is neither 'off' nor 'require'. Leave it out, or give one of them.`,
      );
    }
    if (signing === 'require' && key === undefined) {
      throw new InvalidOptionError(
        "QueueModule: signing: 'require' needs a key. Set the option key (QUEUE_KEY); queue:key prints a fresh one.",
      );
    }
    const ring = key === undefined ? undefined : new KeyRing(key);
    return new EnvelopeSeals(ring, signing === 'require', SealedSources.of(closures, ring));
  }

  get hasKey(): boolean {
    return this.#ring !== undefined;
  }

  /** Ids of keys that look like placeholders. */
  get weakKeys(): readonly string[] {
    return this.#ring?.weak ?? [];
  }

  /**
   * A job's data, or another part of it, as encrypted text, bound to its id and name.
   *
   * @param shown the job's class, for the message
   * @throws InvalidOptionError where there is no key
   */
  seal(data: object, job: SealedFor, shown: string): string {
    if (!this.#ring) {
      throw new InvalidOptionError(
        `${shown} is to be encrypted, and QueueModule has no key. It was not sent. Set the option key (QUEUE_KEY); queue:key prints a fresh one.`,
      );
    }
    return sealText(JSON.stringify(data), job, this.#ring);
  }

  /**
   * The data of an envelope that is encrypted. The envelope stays as it is.
   *
   * @param id of the job that the store keeps it as
   * @throws DecryptionError
   */
  open(envelope: JobEnvelope, id: string): object {
    return this.#open(envelope.data, envelope, { uuid: id, name: envelope.name });
  }

  /** As `open`, for what `through()` took. @throws DecryptionError */
  openMiddleware(envelope: JobEnvelope, id: string): readonly object[] {
    const job: SealedFor = { uuid: id, name: envelope.name, part: 'middleware' };
    return this.#open(envelope.middleware, envelope, job) as readonly object[];
  }

  #open(sealed: unknown, { displayName, encrypted }: JobEnvelope, job: SealedFor): object {
    if (typeof sealed !== 'string' || encrypted !== true) {
      throw new DecryptionError(
        `${displayName} does not say plainly whether its payload is encrypted: it was changed after it was written. It was not run; its bytes are kept.`,
      );
    }
    return JSON.parse(openText(sealed, job, this.#ring, displayName)) as object;
  }

  /** The envelope, signed where it has to be. Everything that belongs to it must be in it by now. */
  signed(envelope: JobEnvelope, always = false): JobEnvelope {
    const ring = this.#ring;
    return ring && (always || this.requireSigned || envelope.signature !== undefined)
      ? signEnvelope(envelope, ring)
      : envelope;
  }

  /**
   * A changed form of an envelope that came from a store, signed anew where the original was signed. Unsigned ones stay so: nobody gets a
   * signature for what he put into a store.
   *
   * @param id of the job that the original was kept as
   * @throws SignatureError where the original's signature does not hold
   */
  resigned(original: JobEnvelope, id: string, changed: JobEnvelope): JobEnvelope {
    if (original.signature === undefined) return changed;
    const fault = signatureFault(original, id, this.#ring);
    if (fault) throw fault;
    return signEnvelope(changed, this.#ring!);
  }

  /** Why an envelope from a store must not run; `undefined` where it may. One look at it where nothing is signed. */
  refusal(envelope: JobEnvelope, id: string, kind?: Signable): SignatureError | undefined {
    if (envelope.signature !== undefined) return signatureFault(envelope, id, this.#ring);
    if (!this.requireSigned && !(kind?.signed && this.#ring)) return undefined;
    const why = this.requireSigned
      ? "QueueModule has signing: 'require'"
      : 'jobs of its kind are signed wherever there is a key';
    return new SignatureError(`${envelope.displayName} is not signed, and ${why}. It was not run; its bytes are kept.`);
  }
}

/** Of a module without a key: encrypts nothing, signs nothing, and refuses what somebody else encrypted or signed. */
export const UNSEALED = new EnvelopeSeals();
