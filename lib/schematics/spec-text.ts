import type { AppPackage } from './app-package.js';

/** The imports of a spec from packages, in alphabetical order. */
export function specHead(testGlobals: AppPackage['testGlobals'], queue: readonly string[]): string {
  const runner = testGlobals ? [`import { describe, expect, it } from '${testGlobals}';`] : [];
  return [
    ...(testGlobals === '@jest/globals' ? runner : []),
    `import { Test } from '@nestjs/testing';`,
    `import { ${queue.join(', ')} } from 'nestjs-queue';`,
    `import { runJob } from 'nestjs-queue/testing';`,
    ...(testGlobals === 'vitest' ? runner : []),
    '',
  ].join('\n');
}

/** The statement that makes a module without any server, as `app`. */
export function testingModule(providers: readonly string[]): string {
  return `    const app = await Test.createTestingModule({
      imports: [QueueModule.forRoot({ default: 'memory' })],
      providers: [${providers.join(', ')}],
    }).compile();`;
}
