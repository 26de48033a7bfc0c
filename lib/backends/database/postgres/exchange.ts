import type { Settlement } from '../../../contracts/queue-driver.js';
import type { Claimed, ClaimRequest, MembersSettled } from '../server/dialect.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Statement } from '../server/link.js';
import type { Tables } from '../table-names.js';
import { idKey } from '../../stored-text.js';
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

/** Hands in and takes in one statement, so in one trip and one commit; members of one batch are counted by it. */
export class ExchangeStatements {
  readonly #statements = new Map<string, Statement>();
  constructor(
    private readonly tables: Tables,
    private readonly settles: SettleStatements,
    private readonly claims: ClaimStatements,
    private readonly claiming: Claiming,
  ) {}

  /** @param batch that all of them are members of: they have succeeded. As `settleMembers` then */
  async exchange(
    link: Link,
    settlements: readonly Settlement[],
    request: ClaimRequest,
    batch?: string,
  ): Promise<MembersSettled & { readonly claimed: Claimed }> {
    let claimed: Claimed = { jobs: [] };
    let told: string | null = null;
    const settled = await firstOfEach(settlements, async (own) => {
      const kinds = { ...kindsOf(own), members: batch !== undefined };
      const marked = this.claiming.marked(request);
      const near = this.claiming.near(request);
      const statement = this.#statement(kinds, near !== undefined);
      const params = [...settleParams(own, kinds), ...(batch === undefined ? [] : [idKey(batch).key])];
      const answer = await (near
        ? this.claiming.goOn(link, statement, request, near, params)
        : this.claiming.run(link, statement, request, params));
      ({ claimed, told } = answer);
      // Behind the mark there may be something.
      if (claimed.jobs.length === 0 && marked) claimed = await this.claims.claim(link, request);
      return this.settles.answers(link, own, answer.settled, answer.done);
    });
    return { settled, claimed, told };
  }

  #statement(kinds: SettleKinds, near: boolean): Statement {
    const name = `${kinds.acks} ${kinds.releases} ${kinds.members} ${near}`;
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      const { jobs } = this.tables.quoted;
      const first = CLAIM_PARAMS[near ? 'near' : 'whole'] + 1;
      const [list, count, told] = doneColumns(first, kinds.members);
      const columns = `${list} AS id_name, ${told} AS queue, ${count}::int AS priority`;
      const claim = near ? nearParts(jobs) : claimParts(jobs, `$${first}::uuid[]`);
      const answer = near ? nearAnswer(columns) : claimAnswer(jobs, columns);
      statement = statementOf(`WITH RECURSIVE ${claim}, ${settleParts(this.tables, kinds, first)} ${answer}`);
      this.#statements.set(name, statement);
    }
    return statement;
  }
}
