import type { LeaseAbility, ReservedJob, SettleResult } from '../../contracts/queue-driver.js';
import { chunks } from '../../support/chunks.js';
import type { RedisLink } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import { failed } from './redis-exchange.js';
import { ScriptCall } from './script-call.js';
import { renewScript } from './scripts/renew.js';
import { accepted, addHeld, cancelled, leaseLost, notesOf } from './settle-call.js';

const LONGEST_MS = 5_000;
const JOBS = 2_000;

/** Renewals, over a connection of their own: they must not wait behind anything. */
export class RedisLeases implements LeaseAbility {
  constructor(
    private readonly link: RedisLink & { warm(): void },
    private readonly keys: QueueKeys,
  ) {}

  /** Connects now, where nothing is connected. */
  warm(): void {
    this.link.warm();
  }

  async renew(jobs: readonly ReservedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    const results: SettleResult[] = [];
    const slots = new Map<string, number[]>();
    jobs.forEach(({ queue }, place) => {
      const slot = this.keys.group(this.keys.base(queue));
      const places = slots.get(slot);
      if (places) places.push(place);
      else slots.set(slot, [place]);
    });
    const groups = [...slots.values()].flatMap((places) => chunks(places, JOBS));
    await Promise.all(groups.map((places) => this.#renew(jobs, places, leaseMs, results)));
    return results;
  }

  async #renew(
    jobs: readonly ReservedJob[],
    places: readonly number[],
    leaseMs: number,
    results: SettleResult[],
  ): Promise<void> {
    const call = new ScriptCall();
    call.args.push(Math.ceil(leaseMs));
    addHeld(
      call,
      places.map((place) => jobs[place]!),
      this.keys,
    );
    try {
      const patience = { ms: Math.min(LONGEST_MS, Math.max(200, leaseMs / 6)), lost: 'repeat' } as const;
      const refusals = notesOf(await this.link.run(renewScript, call.keys, call.args, patience));
      places.forEach((place, at) => {
        const why = refusals.get(at);
        results[place] = why === undefined ? accepted : why === 'c' ? cancelled : leaseLost;
      });
    } catch (error) {
      for (const place of places) results[place] = failed(error);
    }
  }
}
