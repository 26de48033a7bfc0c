import { now, sleep } from './clock.mjs';
import { FIRST_NUMBER, payload } from './payload.mjs';

const SENDERS = {
  /** One at a time with random pauses between. @returns pairs of a job's number and when its dispatch began (monotonic ms) */
  async gaps(queue, { count, minMs, maxMs }) {
    const sent = [];
    // The first ones open connections and warm up; they are not counted.
    for (let i = -10; i < count; i += 1) {
      await sleep(minMs + Math.random() * (maxMs - minMs));
      const number = i < 0 ? FIRST_NUMBER + 500_000 + i : FIRST_NUMBER + i;
      const at = now();
      await queue.dispatch(payload(number));
      if (i >= 0) sent.push([number, at]);
    }
    return sent;
  },

  /** Delayed at random. @returns pairs of a job's number and when it is due (wall clock, ms) */
  async delayed(queue, { count, minMs, maxMs }) {
    const sent = [];
    for (let i = 0; i < count; i += 1) {
      const due = Date.now() + Math.round(minMs + Math.random() * (maxMs - minMs));
      await queue.dispatch(payload(FIRST_NUMBER + i), due);
      sent.push([FIRST_NUMBER + i, due]);
      await sleep(2);
    }
    return sent;
  },

  /** All due at one instant, dispatched up to a hundred at a time. */
  async burst(queue, { count, inMs }) {
    const due = Date.now() + inMs;
    const sent = [];
    await inFlight(count, 100, async (i) => {
      await queue.dispatch(payload(FIRST_NUMBER + i), due);
      sent.push([FIRST_NUMBER + i, due]);
    });
    if (Date.now() > due) throw new Error(`dispatching ${count} delayed jobs took longer than ${inMs} ms`);
    return sent;
  },
};

export function send(queue, sending) {
  return SENDERS[sending.kind](queue, sending);
}

/** Calls `work(i)` for each i below `count`, up to `width` of them at a time; ends early when `enough()` says so. */
export async function inFlight(count, width, work, enough = () => false) {
  let next = 0;
  const lane = async () => {
    while (next < count && !enough()) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return next;
}
