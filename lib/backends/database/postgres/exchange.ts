import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import type { Claimed, ClaimRequest } from '../server/dialect.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Statement } from '../server/link.js';
import type { Tables } from '../table-names.js';
import { claimAnswer, claimParts, nearAnswer, nearParts } from './claim-sql.js';
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
      const near = this.claiming.near(request);
      const statement = this.#statement(kinds, near !== undefined);
      const params = settleParams(own, kinds);
      const answer = await (near
        ? this.claiming.goOn(link, statement, request, near, params)
        : this.claiming.run(link, statement, request, params));
      claimed = answer.claimed;
      // Behind the mark there may be something.
      if (claimed.jobs.length === 0 && marked) claimed = await this.claims.claim(link, request);
      return this.settles.answers(link, own, answer.settled, answer.done);
    });
    return { settled, claimed };
  }

  #statement(kinds: SettleKinds, near: boolean): Statement {
    const name = `${kinds.acks} ${kinds.releases} ${near}`;
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      const jobs = this.#jobs;
      const first = CLAIM_PARAMS[near ? 'near' : 'whole'] + 1;
      const [list, count] = doneColumns(first);
      const columns = `${list} AS id_name, NULL AS queue, ${count}::int AS priority`;
      const claim = near ? nearParts(jobs) : claimParts(jobs, `$${first}::uuid[]`);
      const answer = near ? nearAnswer(columns) : claimAnswer(jobs, columns);
      statement = statementOf(`WITH RECURSIVE ${claim}, ${settleParts(jobs, kinds, first)} ${answer}`);
      this.#statements.set(name, statement);
    }
    return statement;
  }
}
