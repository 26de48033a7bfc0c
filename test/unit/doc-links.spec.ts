import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '');

/** As GitHub makes them from headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = withoutCode(readFileSync(join(root, page), 'utf8')).match(/^#+ .+$/gm) ?? [];
  const seen = new Map<string, number>();
  return new Set(
    headings.map((heading) => {
      const text = heading.replace(/^#+ /, '').trim().toLowerCase();
      const anchor = text.replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-');
      const times = seen.get(anchor) ?? 0;
      seen.set(anchor, times + 1);
      return times === 0 ? anchor : `${anchor}-${times}`;
    }),
  );
}

function broken(page: string): string[] {
  const text = withoutCode(readFileSync(join(root, page), 'utf8')).replace(/`[^`\n]*`/g, '``');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(root, file))) return true;
    return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).has(anchor);
  });
}

describe('links between pages', () => {
  it.each(pages)('lead somewhere: %s', (page) => {
    expect(broken(page)).toEqual([]);
  });
});
