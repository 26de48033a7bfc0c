import { type Element, type ElementOptions, generate } from './element.js';
import { SchematicError } from './schematic-error.js';
import { specHead, testingModule } from './spec-text.js';
import type { Rule } from './tree.js';

export interface JobOptions extends ElementOptions {
  /** `batched`: a member of batches that is skipped once its batch is cancelled. `sync`: runs at once, where it is dispatched. */
  readonly type?: 'batched' | 'sync';
}

const TYPES = ['batched', 'sync'];

/** `nest g -c nestjs-queue job ProcessPodcast`. */
export function job(options: JobOptions): Rule {
  const { type } = options;
  if (type !== undefined && !TYPES.includes(type)) {
    throw new SchematicError(`There is no job of the type "${String(type)}". There are: ${TYPES.join(', ')}.`);
  }
  return generate(options, {
    kind: 'job',
    taken: ['Job', 'Queueable', 'Middleware', 'SkipIfBatchCancelled', 'Test', 'QueueModule'],
    classText: (element) => classText(element, type),
    specText: (element) => specText(element, type === 'batched'),
  });
}

function classText({ className }: Element, type: JobOptions['type']): string {
  const batched = type === 'batched';
  const imported = batched ? 'Job, Middleware, Queueable, SkipIfBatchCancelled' : 'Job, Queueable';
  return `import { ${imported} } from 'nestjs-queue';

@Job(${type === 'sync' ? `{ connection: 'sync' }` : ''})
${batched ? '@Middleware(SkipIfBatchCancelled)\n' : ''}export class ${className} extends Queueable {
  handle(): void {
    // What the constructor keeps travels with the job,
    // what handle() takes is injected where it runs.
  }
}
`;
}

function specText({ className, importedFrom, app }: Element, batched: boolean): string {
  return `${specHead(app.testGlobals, ['QueueModule'])}import { ${className} } from '${importedFrom}';

describe('${className}', () => {
  it('is done', async () => {
${testingModule([className])}

    const result = await runJob(app, new ${className}());

    expect(result).toEqual({ outcome: 'done' });

    await app.close();
  });
${batched ? inABatch(className) : ''}});
`;
}

function inABatch(className: string): string {
  return `
  it('leaves its batch as it is', () => {
    const [job, batch] = new ${className}().withFakeBatch();

    job.handle();

    expect(batch.cancelled()).toBe(false);
    expect(batch.added).toEqual([]);
  });
`;
}
