import type { EventHub } from '../connections/event-hub.js';
import type { Effects, ReservedJob, Settlement } from '../contracts/queue-driver.js';
import { raiseAccepted, raiseEnded, raiseRefused } from './attempt-events.js';
import { failingOf, readMemo, writeMemo } from './attempt-memo.js';
import type { AttemptEnd } from './running-attempt.js';
import type { Settler } from './settler.js';

/** What follows an attempt, made by the completion floor. */
export interface CompletionSteps {
  /** What is to ride on the ack. */
  effects(end: AttemptEnd): Effects | undefined;
  /**
   * Records a failure. Gives it back as an effect where record and ack are one write; `'lost'` where the lease is gone.
   * Rejects when the store of failed jobs does not take it.
   */
  recordFailure(end: AttemptEnd, reserved: ReservedJob): Promise<Effects | 'lost' | undefined>;
  /** Runs the job's `failed()`. Never rejects. */
  failedHook(end: AttemptEnd): Promise<void>;
}

/** How long a job whose failure could not be recorded waits for the next try to record it. */
const FAILING_BACKOFF_MS = 5_000;

/** Takes an attempt from its end to the store's answer: record, ack with effects, `failed()`, events. */
export class AttemptFinisher {
  constructor(
    private readonly settler: Settler,
    private readonly hub: EventHub,
    private readonly completion: CompletionSteps,
    private readonly report: (message: string, error: unknown) => void,
    /** Slots are held after their handler (`rest`), so an ack cannot wait for the next claim. */
    private readonly alone: boolean,
  ) {}

  /**
   * Resolves when everything that follows is done. Never rejects.
   *
   * @param settled called when the store has answered: the lease is over, whatever still follows
   */
  async finish(end: AttemptEnd, reserved: ReservedJob, settled: () => void): Promise<void> {
    raiseEnded(end, this.hub);
    if (end.outcome.kind === 'failed') {
      await this.#fail(end, reserved, settled);
    } else {
      await this.#settle(end, settlementOf(end, reserved, this.completion.effects(end)), settled);
    }
  }

  async #fail(end: AttemptEnd, reserved: ReservedJob, settled: () => void): Promise<void> {
    let failure: Effects | 'lost' | undefined;
    try {
      failure = await this.completion.recordFailure(end, reserved);
    } catch (error) {
      return this.#recordLater(end, reserved, error, settled);
    }
    if (failure === 'lost') {
      settled();
      return raiseRefused(end, this.hub, 'lease-lost');
    }
    const effects = { ...this.completion.effects(end), ...failure };
    const settlement: Settlement = {
      kind: 'ack',
      job: reserved,
      ...(Object.keys(effects).length > 0 ? { effects } : {}),
    };
    await this.#settle(end, settlement, settled, () => this.completion.failedHook(end));
  }

  /** The job stays, and its handler does not run again: the next pick-up goes straight to recording it. */
  async #recordLater(end: AttemptEnd, reserved: ReservedJob, why: unknown, settled: () => void): Promise<void> {
    const error = end.outcome.kind === 'failed' ? end.outcome.error : new Error('The job failed.');
    this.report(
      `${end.context.displayName} [${end.context.id}] has failed but could not be recorded; it is kept and recorded later`,
      why,
    );
    const { intent } = end.context;
    const before = readMemo(reserved.memo);
    const failing = before.failing ?? failingOf(error, intent?.kind === 'fail' && intent.given === null);
    const outcome = {
      kind: 'retry' as const,
      delayMs: FAILING_BACKOFF_MS,
      countAttempt: false,
      error,
      memo: writeMemo({ ...before, failing }),
    };
    const kept: AttemptEnd = { ...end, outcome };
    await this.#settle(kept, settlementOf(kept, reserved, undefined), settled, () => Promise.resolve());
  }

  async #settle(
    end: AttemptEnd,
    settlement: Settlement,
    settled: () => void,
    accepted?: () => Promise<void>,
  ): Promise<void> {
    const result = await this.settler.add(
      settlement,
      this.alone || end.outcome.kind === 'failed' || accepted !== undefined,
    );
    settled();
    if (result.ok) {
      if (accepted) await accepted();
      raiseAccepted(end, this.hub);
    } else {
      raiseRefused(end, this.hub, result.reason === 'cancelled' ? 'cancelled' : 'lease-lost');
    }
  }
}

function settlementOf(end: AttemptEnd, job: ReservedJob, effects: Effects | undefined): Settlement {
  const { outcome } = end;
  if (outcome.kind !== 'retry') return effects ? { kind: 'ack', job, effects } : { kind: 'ack', job };
  return {
    kind: 'release',
    job,
    delayMs: outcome.delayMs,
    ...(outcome.countAttempt === false ? { countAttempt: false } : {}),
    ...(outcome.memo === undefined ? {} : { memo: outcome.memo }),
    ...(effects ? { effects } : {}),
  };
}
