import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import type { Claimed, ClaimRequest } from '../server/dialect.js';
import type { Link } from '../server/link.js';
import type { ClaimRows } from './claim.js';
import type { SettleRows } from './settle.js';

/** Hands in and takes in one commit; where nothing is due the look before it is all that is asked beside the settlement. */
export class ExchangeRows {
  constructor(
    private readonly settles: SettleRows,
    private readonly claims: ClaimRows,
  ) {}

  async exchange(
    link: Link,
    settlements: readonly Settlement[],
    request: ClaimRequest,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly claimed: Claimed }> {
    const decision = await this.claims.look(link, request);
    if (!decision.due) {
      const { nextInMs } = decision;
      const settled = await this.settles.settle(link, settlements);
      return { settled, claimed: { jobs: [], ...(nextInMs === undefined ? {} : { nextInMs }) } };
    }
    const take = (): Promise<Claimed> => this.claims.take(link, request, decision);
    const { settled, after: claimed } = await this.settles.atomically(link, settlements, take);
    return { settled, claimed };
  }
}
