import { createHash } from 'node:crypto';

/**
 * Whether a script may run where the server is out of memory. `frees`: it takes away more than it adds (claims, ends of jobs), and its
 * first write frees memory. `stores`: the server refuses it before it begins.
 */
export type MemoryUse = 'frees' | 'stores';

/**
 * A Lua script, known to the server by its digest. Every key it touches begins with one of its KEYS, and all of those are in one slot.
 * It does not count its KEYS: a link may add one.
 * The header with flags is understood by Redis 7 and later alone, so each script has two texts.
 */
export class Script {
  readonly plain: ScriptText;
  readonly flagged: ScriptText;

  constructor(
    readonly name: string,
    memory: MemoryUse,
    /** What the body calls, and the body. */
    ...parts: readonly string[]
  ) {
    const body = parts.join('\n');
    this.plain = scriptText(body);
    this.flagged = scriptText(`#!lua${memory === 'frees' ? ' flags=allow-oom' : ''}\n${body}`);
  }
}

export interface ScriptText {
  readonly text: string;
  readonly sha: string;
}

function scriptText(text: string): ScriptText {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
