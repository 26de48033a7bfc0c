import { type Element, type ElementOptions, generate } from './element.js';
import { specHead, testingModule } from './spec-text.js';
import type { Rule } from './tree.js';

/** `nest g -c nestjs-queue job-middleware Audit`. */
export function jobMiddleware(options: ElementOptions): Rule {
  return generate(options, {
    kind: 'job-middleware',
    taken: ['Injectable', 'JobMiddleware', 'Job', 'Middleware', 'Queueable', 'QueueModule', 'Test', 'Probe'],
    classText,
    specText,
  });
}

function classText({ className }: Element): string {
  return `import { Injectable } from '@nestjs/common';
import type { JobMiddleware } from 'nestjs-queue';

@Injectable()
export class ${className} implements JobMiddleware {
  async handle(_job: object, next: () => Promise<void>): Promise<void> {
    // Without next() the job ends unrun. The third parameter, a JobContext,
    // releases it or fails it.
    await next();
  }
}
`;
}

function specText({ className, importedFrom, app }: Element): string {
  return `${specHead(app.testGlobals, ['Job', 'Middleware', 'Queueable', 'QueueModule'])}import { ${className} } from '${importedFrom}';

@Job()
@Middleware(${className})
class Probe extends Queueable {
  static runs = 0;

  handle(): void {
    Probe.runs += 1;
  }
}

describe('${className}', () => {
  it('lets a job through', async () => {
${testingModule([className, 'Probe'])}

    const result = await runJob(app, new Probe());

    expect(result).toEqual({ outcome: 'done' });
    expect(Probe.runs).toBe(1);

    await app.close();
  });
});
`;
}
