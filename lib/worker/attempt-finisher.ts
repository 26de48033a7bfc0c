import type { EventHub } from '../connections/event-hub.js';
import type { Effects, ReservedJob, Settlement } from '../contracts/queue-driver.js';
import { toError } from '../support/error-text.js';
import { raiseAccepted, raiseEnded, raiseRefused } from './attempt-events.js';
import { failingOf, readMemo, writeMemo } from './attempt-memo.js';
import type { AttemptEnd } from './running-attempt.js';
import type { Settler } from './settler.js';

/** What follows an attempt, made by the completion floor. */
export interface CompletionSteps {
  /**
   * What is to ride on the settlement; at once where nothing has to be asked or sent before it. `'lost'` where the lease is gone.
   * Rejects when a store that something has to be sent to first does not take it.
   */
  effects(end: AttemptEnd, reserved: ReservedJob): Effects | undefined | Promise<Effects | 'lost' | undefined>;
  /**
   * Records a failure. Gives it back as an effect where record and ack are one write; `'lost'` where the lease is gone.
   * Rejects when the store of failed jobs does not take it.
   */
  recordFailure(end: AttemptEnd, reserved: ReservedJob): Promise<Effects | 'lost' | undefined>;
  /** What is to be done once the store has accepted the end, before anybody hears of it. Never rejects. */
  accepted?(end: AttemptEnd, reserved: ReservedJob): Promise<void> | undefined;
  /** Runs the job's `failed()`. Never rejects. */
  failedHook(end: AttemptEnd): Promise<void>;
}

/** How long a job whose end could not be written down waits for the next try to do so. */
const ENDING_BACKOFF_MS = 5_000;

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
      return;
    }
    let effects: Effects | 'lost' | undefined;
    let late = false;
    try {
      const following = this.completion.effects(end, reserved);
      late = following instanceof Promise;
      effects = following instanceof Promise ? await following : following;
    } catch (error) {
      return this.#finishLater(end, reserved, error, settled);
    }
    if (effects === 'lost') {
      settled();
      return raiseRefused(end, this.hub, 'lease-lost');
    }
    await this.#settle(end, settlementOf(end, reserved, effects), settled, undefined, late);
  }

  async #fail(end: AttemptEnd, reserved: ReservedJob, settled: () => void): Promise<void> {
    let failure: Effects | 'lost' | undefined;
    let following: Effects | 'lost' | undefined;
    try {
      failure = await this.completion.recordFailure(end, reserved);
      following = failure === 'lost' ? failure : await this.completion.effects(end, reserved);
    } catch (error) {
      return this.#recordLater(end, reserved, error, settled);
    }
    if (failure === 'lost' || following === 'lost') {
      settled();
      return raiseRefused(end, this.hub, 'lease-lost');
    }
    const effects = { ...following, ...failure };
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
      delayMs: ENDING_BACKOFF_MS,
      countAttempt: false,
      error,
      memo: writeMemo({ ...before, failing }),
    };
    const kept: AttemptEnd = { ...end, outcome };
    await this.#settle(kept, settlementOf(kept, reserved, undefined), settled, () => Promise.resolve());
  }

  /** As above for a job that is done: what follows it is sent by the next pick-up. */
  async #finishLater(end: AttemptEnd, reserved: ReservedJob, why: unknown, settled: () => void): Promise<void> {
    const { context, outcome } = end;
    const kept: AttemptEnd =
      outcome.kind === 'retry'
        ? end
        : {
            ...end,
            outcome: {
              kind: 'retry',
              delayMs: ENDING_BACKOFF_MS,
              countAttempt: false,
              error: toError(why),
              memo: writeMemo({
                ...readMemo(reserved.memo),
                done: true,
                ...(context.following && { following: context.following }),
              }),
            },
          };
    this.report(
      `${context.displayName} [${context.id}] is done, but what follows it could not be sent; it is kept and that is sent later`,
      why,
    );
    await this.#settle(kept, settlementOf(kept, reserved, undefined), settled, undefined, true);
  }

  async #settle(
    end: AttemptEnd,
    settlement: Settlement,
    settled: () => void,
    accepted?: () => Promise<void>,
    /** Another job may have its slot by now, and hold it: then no claim comes. */
    late = false,
  ): Promise<void> {
    const result = await this.settler.add(
      settlement,
      this.alone || late || end.outcome.kind === 'failed' || accepted !== undefined,
    );
    settled();
    if (result.ok) {
      const following = end.context.accepted?.();
      if (following) await following;
      const counting = end.context.counted?.(result.progress);
      if (counting) await counting;
      const releasing = this.completion.accepted?.(end, settlement.job);
      if (releasing) await releasing;
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
