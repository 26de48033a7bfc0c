import { nonce } from '../../nonce.js';

/** What is written beside the jobs of one claim, each with its `seq` behind it. */
export function nextTokenPrefix(): string {
  return `${nonce()}.`;
}

/** What the holder of a job is given: the row is found by its `seq`, and the token is of no other job than this one. */
export function tokenOf(prefix: string, seq: number, id: string): string {
  return `${prefix}${seq}.${id}`;
}

/** The row that a token of `tokenOf` is for; `undefined` for another job's, one of the first version, and what is no token of ours. */
export function rowOf(id: string, token: string): { readonly seq: number; readonly token: string } | undefined {
  if (typeof token !== 'string' || !token.endsWith(`.${id}`)) return undefined;
  const written = token.slice(0, -id.length - 1);
  const seq = Number(written.slice(written.lastIndexOf('.') + 1));
  return Number.isSafeInteger(seq) ? { seq, token: written } : undefined;
}
