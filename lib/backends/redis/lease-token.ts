import type { ReservedJob } from '../../contracts/queue-driver.js';
import { storable } from '../stored-text.js';
import { TOKEN_LENGTH } from './scripts/lease-part.js';

/** Added to a job's place in the answer of its claim, so that all tokens are of one length. */
const PLACES = 10_000;

/** @param place in the whole answer, from 1 */
export function tokenOf(nonce: string, place: number): string {
  return `${nonce}.${PLACES + place}`;
}

export function placeOf(token: string): number {
  return Number(token.slice(token.indexOf('.') + 1)) - PLACES;
}

/** A reservation as it stands in `:leased`: the id and the token behind it. What is no token of ours is nobody's. */
export function leaseOf({ id, token }: Pick<ReservedJob, 'id' | 'token'>): string {
  return storable(id) + (token.length === TOKEN_LENGTH ? token : '?'.repeat(TOKEN_LENGTH));
}
