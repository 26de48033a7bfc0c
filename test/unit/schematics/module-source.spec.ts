import { describe, expect, it } from '@jest/globals';
import { moduleClass, withImport, withListed } from '../../../lib/schematics/module-source.js';

const APP = `import { Module } from '@nestjs/common';
import { AppService } from './app.service.js';

@Module({
  imports: [],
  providers: [AppService],
})
export class AppModule {}
`;

const listed = (source: string) => withListed(source, 'providers', 'SendMail');
/** Around the metadata of a module, so that a case shows just that. */
const inModule = (metadata: string) => `@Module(${metadata})\nexport class AppModule {}\n`;

describe('a class in the providers of a module', () => {
  it.each([
    ['a list on one line', `{ providers: [A, B] }`, `{ providers: [A, B, SendMail] }`],
    ['an empty list', `{ providers: [] }`, `{ providers: [SendMail] }`],
    ['no list yet', `{ imports: [A] }`, `{ imports: [A], providers: [SendMail] }`],
    ['a decorator without metadata', ``, `{\n  providers: [SendMail],\n}`],
    ['empty metadata', `{}`, `{\n  providers: [SendMail],\n}`],
    ['a quoted name', `{ 'providers': [A] }`, `{ 'providers': [A, SendMail] }`],
    ['a spread', `{ providers: [...jobs] }`, `{ providers: [...jobs, SendMail] }`],
    [
      'a list over lines, with a last comma',
      `{\n  providers: [\n    A,\n    B, // why\n  ],\n}`,
      `{\n  providers: [\n    A,\n    B, // why\n    SendMail,\n  ],\n}`,
    ],
    [
      'a list over lines, without one',
      `{\n\tproviders: [\n\t\tA,\n\t\tB // why\n\t]\n}`,
      `{\n\tproviders: [\n\t\tA,\n\t\tB, // why\n\t\tSendMail\n\t]\n}`,
    ],
    [
      'metadata over lines',
      `{\n  imports: [],\n  controllers: [C],\n}`,
      `{\n  imports: [],\n  controllers: [C],\n  providers: [SendMail],\n}`,
    ],
    [
      'line breaks of Windows',
      `{\r\n  providers: [\r\n    A,\r\n  ],\r\n}`,
      `{\r\n  providers: [\r\n    A,\r\n    SendMail,\r\n  ],\r\n}`,
    ],
    [
      'brackets in strings, templates, patterns and comments',
      `{ /* ] */ imports: [load('],', \`\${pick(']')}]\`, /[\\]}]/)], providers: [{ provide: '}', useValue: 1 }] }`,
      `{ /* ] */ imports: [load('],', \`\${pick(']')}]\`, /[\\]}]/)], providers: [{ provide: '}', useValue: 1 }, SendMail] }`,
    ],
    [
      'nothing but a comment on a line',
      `{\n  providers: [\n    // none yet ]\n  ],\n}`,
      `{\n  providers: [SendMail,\n    // none yet ]\n  ],\n}`,
    ],
    ['nothing but a comment', `{ providers: [/* none */] }`, `{ providers: [SendMail, /* none */] }`],
    [
      'a class of that name elsewhere in the list',
      `{ providers: [{ provide: Mail, useClass: SendMail }] }`,
      `{ providers: [{ provide: Mail, useClass: SendMail }, SendMail] }`,
    ],
    [
      'a property of that name deeper down',
      `{ imports: [X.y({ providers: [] })] }`,
      `{ imports: [X.y({ providers: [] })], providers: [SendMail] }`,
    ],
  ])('%s', (_, before, after) => {
    expect(listed(inModule(before))).toBe(inModule(after));
  });

  it('is not put there twice', () => {
    const source = inModule('{ providers: [A, SendMail] }');
    expect(listed(source)).toBe(source);
  });

  it.each([
    ['a variable', '{ providers: shared }'],
    ['a call', '{ providers: [A].concat(more) }'],
    ['a shorthand', '{ providers }'],
    ['metadata made elsewhere', 'metadata'],
  ])('is left to the reader with %s', (_, metadata) => {
    expect(listed(inModule(metadata))).toBeUndefined();
  });

  it('is left to the reader in a file without a module, or one that is broken', () => {
    expect(listed('export class AppModule {}')).toBeUndefined();
    expect(listed('@Module({ providers: [A')).toBeUndefined();
  });
});

describe('an import', () => {
  const imported = (source: string) => withImport(source, 'SendMail', './send-mail.job.js');
  const LINE = `import { SendMail } from './send-mail.job.js';`;

  it('stands behind the last one', () => {
    expect(imported(APP)).toBe(APP.replace(`app.service.js';`, `app.service.js';\n${LINE}`));
  });

  it.each([
    [
      'quotes and no semicolons, as elsewhere',
      `import { A } from "a"\nfoo()`,
      `import { A } from "a"\n${LINE.slice(0, -1).replaceAll(`'`, '"')}\nfoo()`,
    ],
    [
      'imports over lines',
      `import {\n  A,\n  B,\n} from 'a';\nfoo();`,
      `import {\n  A,\n  B,\n} from 'a';\n${LINE}\nfoo();`,
    ],
    ['one without names', `import 'a';\nfoo();`, `import 'a';\n${LINE}\nfoo();`],
    [
      'attributes',
      `import a from './a.json' with { type: 'json' };\n`,
      `import a from './a.json' with { type: 'json' };\n${LINE}\n`,
    ],
    [
      'the form of CommonJS',
      `import path = require('path');\nfoo();`,
      `import path = require('path');\n${LINE}\nfoo();`,
    ],
    [
      'calls of import()',
      `import 'a';\nconst b = await import('b');\nimport.meta.url;`,
      `import 'a';\n${LINE}\nconst b = await import('b');\nimport.meta.url;`,
    ],
    ['none', `foo();\n`, `${LINE}\nfoo();\n`],
  ])('fits %s', (_, before, after) => {
    expect(imported(before)).toBe(after);
  });

  it('is not written twice', () => {
    const source = `import { Other, SendMail } from '../jobs.js';\n`;
    expect(imported(source)).toBe(source);
  });
});

describe('a module', () => {
  it('has the name of the class below its decorator', () => {
    const more = `@Global()\n@Module({})\n@Other(class {})\nexport default abstract class Api extends Base {}`;
    expect(moduleClass(APP)).toBe('AppModule');
    expect(moduleClass(more)).toBe('Api');
    expect(moduleClass(`@Module()\nexport class Api {}`)).toBe('Api');
    expect(moduleClass(`// @Module({}) class No {}\nexport class AppModule {}`)).toBeUndefined();
  });
});
