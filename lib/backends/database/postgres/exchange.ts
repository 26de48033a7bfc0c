import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import type { Claimed, ClaimRequest } from '../server/dialect.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Statement } from '../server/link.js';
import type { Tables } from '../table-names.js';
import { claimAnswer, claimParts } from './claim-sql.js';
import { CLAIM_PARAMS, type Claiming, type ClaimStatements } from './claim.js';
import {
  doneColumns,
  firstOfEach,
  kindsOf,
  settleParams,
  settleParts,
  type SettleKinds,
  type SettleStatements,
} from './settle.js';

const FIRST = CLAIM_PARAMS + 1;

/** Hands in and takes in one statement, so in one trip and one commit. */
export class ExchangeStatements {
  readonly #statements = new Map<string, Statement>();
  readonly #jobs: string;

  constructor(
    { quoted: t }: Tables,
    private readonly settles: SettleStatements,
    private readonly claims: ClaimStatements,
    private readonly claiming: Claiming,
  ) {
    this.#jobs = t.jobs;
  }

  async exchange(
    link: Link,
    settlements: readonly Settlement[],
    request: ClaimRequest,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly claimed: Claimed }> {
    let claimed: Claimed = { jobs: [] };
    const settled = await firstOfEach(settlements, async (own) => {
      const kinds = kindsOf(own);
      const marked = this.claiming.marked(request);
      const answer = await this.claiming.run(link, this.#statement(kinds), request, settleParams(own, kinds));
      claimed = answer.claimed;
      // Behind the mark there may be something.
      if (claimed.jobs.length === 0 && marked) claimed = await this.claims.claim(link, request);
      return this.settles.answers(link, own, answer.settled, answer.done);
    });
    return { settled, claimed };
  }

  #statement(kinds: SettleKinds): Statement {
    const name = `${kinds.acks} ${kinds.releases}`;
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      const [list, count] = doneColumns(FIRST);
      const columns = `${list} AS id_name, NULL AS queue, ${count}::int AS priority`;
      statement = statementOf(
        `WITH RECURSIVE ${claimParts(this.#jobs, `$${FIRST}::uuid[]`)}, ${settleParts(this.#jobs, kinds, FIRST)}
        ${claimAnswer(this.#jobs, columns)}`,
      );
      this.#statements.set(name, statement);
    }
    return statement;
  }
}
