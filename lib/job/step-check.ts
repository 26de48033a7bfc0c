import type { UnsentBatch } from '../contracts/dispatchable.js';
import { delayMs } from '../support/duration.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { EntityReferences, type EntityReference } from './entity-reference.js';
import { fluentOptions } from './fluent-options.js';
import { definitionOfJob } from './job-definition.js';
import { isJobClass } from './job.decorators.js';
import { freezePolicies, readName, readPolicy } from './job-policies.js';
import { lockPolicies } from './lock-policies.js';
import { PayloadCodec } from './payload-codec.js';
import { writeThrough } from './through.js';
import { travellingFields } from './travelling-fields.js';
import { registeredValues, valueName } from './value.decorator.js';
import { relationsDropped } from './without-relations.js';

/** What an error begins with: where among the others a job stands. */
export type Place = (index: number) => string;

export const stepOfChain: Place = (index) => `Step number ${index} of the chain`;

/**
 * Refuses what a real chain or batch would refuse, as far as the jobs themselves tell: whether the application knows a connection or a
 * service is not looked at.
 *
 * @throws NotAJobError, UnserializableError, InvalidOptionError, saying which of them it is
 */
export function checkSteps(
  jobs: readonly unknown[],
  place: Place,
  around: ReadonlySet<unknown> = new Set<unknown>(),
): void {
  for (const [index, job] of jobs.entries()) {
    within(place(index), () => checkStep(job, around));
  }
}

/** Members of a batch, what is falsy left out. @throws as `checkSteps` */
export function checkMembers(jobs: readonly unknown[], around: ReadonlySet<unknown> = new Set<unknown>()): void {
  for (const [index, member] of jobs.filter(Boolean).entries()) {
    const place = (): string => `Member number ${index} of the batch`;
    if (Array.isArray(member)) within(place(), () => checkSteps(member.filter(Boolean), stepOfChain, around));
    else checkSteps([member], place, around);
  }
}

/** A batch that is not sent yet: the class of those stands a floor above. */
export function isUnsentBatch(job: unknown): job is UnsentBatch {
  const batch = job as Partial<UnsentBatch> | null | undefined;
  return typeof batch === 'object' && typeof batch?.dispatch === 'function' && Array.isArray(batch.jobs);
}

/** What `call()` and `closure()` make, by its shape: its class is built on one that needs this. */
export function isClosure(job: object): job is { written(to: object, codec: PayloadCodec): object } {
  return !isJobClass(job.constructor) && typeof (job as { written?: unknown }).written === 'function';
}

function checkStep(job: unknown, around: ReadonlySet<unknown>): void {
  if (around.has(job)) {
    throw new InvalidOptionError(
      isUnsentBatch(job)
        ? 'A batch is a part of itself. Give it another one.'
        : `${(job as object).constructor.name} is a step of its own chain. Give the chain another instance.`,
    );
  }
  const inner = new Set([...around, job]);
  if (isUnsentBatch(job)) {
    checkMembers(job.jobs, inner);
    return;
  }
  checkJob(job);
  const { chain = [], catch: caught = [] } = fluentOptions(job as object) ?? {};
  checkSteps(chain, stepOfChain, inner);
  checkSteps(caught, (index) => `Catch job number ${index} of the chain`, inner);
}

function within(place: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof Error) error.message = `${place}: ${error.message}`;
    throw error;
  }
}

/** As it is written down for a store. */
function checkJob(given: unknown): void {
  const definition = definitionOfJob(given);
  const job = given as object;
  const { delay, through } = fluentOptions(job) ?? {};
  const now = Date.now();
  if (delay !== undefined && delay !== null) delayMs(delay, `${definition.type.name}: delay`, now);
  readName(job, 'connection', definition);
  readName(job, 'queue', definition);
  freezePolicies(job, definition, now);
  lockPolicies(job, definition);
  if (isClosure(job)) {
    // Whether sources may travel is the module's to say: a function is taken as it is.
    job.written({ uuid: '', connection: '', inProcess: true }, codec);
    return;
  }
  const encrypted = definition.encrypted === true || Boolean(readPolicy(job, 'shouldBeEncrypted'));
  const drops = (field: string): boolean => relationsDropped(definition.type, field);
  codec.encode(travellingFields(job, definition), definition.type.name, drops, encrypted);
  for (const one of through ?? []) {
    const { toJSON } = one as { toJSON?: () => object };
    // The middleware of this package travels by what this gives; its names are known only where a module has been put together.
    if (toJSON && valueName(one.constructor) === undefined) toJSON.call(one);
    else writeThrough([one], definition.type.name, codec, encrypted);
  }
}

/** Entities where no DataSource is open: those that TypeORM's decorators have made known. */
class DecoratedEntities extends EntityReferences {
  constructor() {
    super(() => []);
  }

  override isEntity(value: object): boolean {
    const { typeormMetadataArgsStorage: known } = globalThis as {
      typeormMetadataArgsStorage?: { readonly tables?: readonly { readonly target: unknown }[] };
    };
    return known?.tables?.some(({ target }) => target === value.constructor) === true;
  }

  override reference(entity: object): EntityReference {
    return { entity: entity.constructor.name, id: {} };
  }
}

const codec = new PayloadCodec(registeredValues(), new DecoratedEntities());
