import type { InjectionToken } from '@nestjs/common';
import type { InlineClosure } from '../contracts/dispatchable.js';
import { JOB_REF, type JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { FunctionClosure, partsOf, type ClosureParts } from '../job/closure.js';
import type { InjectedName, SealedSources } from '../job/closure-seal.js';
import { compiledSource } from '../job/closure-source.js';
import { SignatureError } from '../job/envelope-signature.js';
import { AttemptContext } from '../job/job-context.js';
import { definitionOf } from '../job/job-definition.js';
import type { AttemptScope, RegisteredJob } from '../job/job-registry.js';
import { InvalidPayloadError } from '../job/payload-errors.js';
import { InvalidOptionError } from '../support/queue-error.js';
import type { Provided } from './provided.js';

/** Finds what closures want injected, among the providers of the whole application: they belong to no module. */
export interface ClosureProviders {
  /** @throws InjectionError where there is none */
  byToken(token: InjectionToken): Promise<Provided>;
  /** @throws InjectionError where there is none, or several classes of that name */
  byClassName(name: string): Promise<Provided>;
}

/** A closure as a store gives it back, with a signature that holds. */
interface Written {
  readonly source: string;
  readonly values: object;
  readonly inject: readonly InjectedName[];
}

/** Runs functions: those that were dispatched in this process as they are, others from their signed source. */
export class RegisteredClosures implements RegisteredJob {
  readonly definition = definitionOf(FunctionClosure);

  constructor(
    private readonly providers: ClosureProviders,
    /** Absent where no source is run. */
    private readonly sources: SealedSources | undefined,
  ) {}

  /** Nothing is compiled, or looked at any further, before its signature holds. @throws SignatureError */
  open(context: JobContext): AttemptScope | Promise<AttemptScope> {
    const parts = context instanceof AttemptContext ? partsOf(context.reserved.live) : undefined;
    if (parts) return this.#here(parts, context);
    if (!this.sources) {
      throw new SignatureError(
        `${context.displayName} is a closure, and this process runs none from a queue. It was not run; its bytes are kept. Set closures: { source: 'signed' } and the key in QueueModule's options if they are to run here, then retry it.`,
      );
    }
    const fault = this.sources.refusal(context.payload as JobEnvelope, context.id);
    if (fault) throw fault;
    return new ClosureScope(async (job) => {
      const { source, values, inject } = written(job);
      const injected = await Promise.all(inject.map((one) => this.#injected(one, context)));
      return compiledSource(source)(values, ...injected);
    });
  }

  #here({ fn, values, inject }: ClosureParts, context: JobContext): AttemptScope {
    return new ClosureScope(async () => {
      if (values === undefined) return (fn as InlineClosure)();
      const injected = await Promise.all(
        inject.map(async (token) => (token === JOB_REF ? context : (await this.providers.byToken(token)).for(context))),
      );
      return fn(values, ...injected);
    });
  }

  async #injected(name: InjectedName, context: JobContext): Promise<unknown> {
    if ('job' in name) return context;
    const provided = 'class' in name ? this.providers.byClassName(name.class) : this.providers.byToken(name.token);
    return (await provided).for(context);
  }
}

class ClosureScope implements AttemptScope {
  constructor(readonly handle: (job: object) => unknown) {}

  inject(): void {}

  failed(): undefined {
    return undefined;
  }

  /** A closure has no class of its own that could name one. */
  middleware(): never {
    throw new InvalidOptionError('A closure takes middleware by through() alone, as instances.');
  }
}

function written(job: object): Written {
  const { source, values, inject } = job as Partial<Written>;
  if (typeof source === 'string' && typeof values === 'object' && values !== null && Array.isArray(inject)) {
    return { source, values, inject };
  }
  throw new InvalidPayloadError(
    'The body of the closure holds no source, values and dependencies. It was not run; its bytes are kept.',
  );
}
