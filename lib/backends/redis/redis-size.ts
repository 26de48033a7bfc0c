import type { QueueSize } from '../../contracts/queue-driver.js';
import { chunks } from '../../support/chunks.js';
import { momentOfId } from './fresh-id.js';
import type { Order, Patience, RedisLink } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import { sizeScript } from './scripts/size.js';

const PATIENCE: Patience = { ms: 5_000, lost: 'repeat' };
/** Queues of one script. */
const QUEUES = 200;

/** How many jobs queues have. */
export class RedisSize {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: QueueKeys,
  ) {}

  async size(queues: readonly string[]): Promise<readonly QueueSize[]> {
    const bases = [...new Set(queues)].map((queue) => this.keys.base(queue));
    const groups = this.link.isCluster ? bases.map((base) => [base]) : chunks(bases, QUEUES);
    const orders = groups.map((keys): Order => ({ script: sizeScript, keys, args: [keys.length] }));
    const replies = (await this.link.all(orders, PATIENCE)) as readonly (readonly (readonly (string | number)[])[])[];
    const sizes = new Map(replies.flat().map((answer, at) => [bases[at]!, sizeOf(answer)]));
    return queues.map((queue) => sizes.get(this.keys.base(queue))!);
  }
}

function sizeOf([pending, delayed, reserved, ...firsts]: readonly (string | number)[]): QueueSize {
  const size = { pending: pending as number, delayed: delayed as number, reserved: reserved as number };
  let oldest: number | undefined;
  for (let at = 0; at < firsts.length; at += 2) {
    const moment = firsts[at + 1] === '' ? momentOfId(String(firsts[at])) : Number(firsts[at + 1]);
    // A job of which it is not known may be the oldest.
    if (moment === undefined) return size;
    oldest = Math.min(oldest ?? Infinity, moment);
  }
  return oldest === undefined ? size : { ...size, oldestPendingAt: oldest };
}
