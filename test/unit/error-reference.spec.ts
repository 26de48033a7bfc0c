import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}docs/errors.md`, 'utf8');

const sources = readdirSync(`${root}lib`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(`${root}lib/${name}`, 'utf8'));
const codes = new Set(
  sources.flatMap((text) => text.match(/'ERR_QUEUE_[A-Z_]+'/g) ?? []).map((one) => one.slice(1, -1)),
);
const entries = ['index.ts', 'testing/index.ts'].map((name) => readFileSync(`${root}lib/${name}`, 'utf8')).join('\n');
const classes = new Set(entries.match(/\b[A-Z]\w+Error\b/g));

describe('docs/errors.md', () => {
  it.each([...codes])('has the code %s', (code) => {
    expect(page).toContain(`\`${code}\``);
  });

  it('names no code that there is not', () => {
    expect([...new Set(page.match(/ERR_QUEUE_[A-Z_]+/g))].filter((code) => !codes.has(code))).toEqual([]);
  });

  it.each([...classes])('has the class %s', (name) => {
    expect(page).toContain(`\`${name}\``);
  });
});
