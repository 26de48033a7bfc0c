/** A long answer is read in parts, one in each turn of the event loop. */
const TURNS = 4;

/**
 * Calls back when what has come over the network by now has been read. Timers that are over run before that: after a handler that blocked
 * the event loop, an answer may lie there that a time limit would miss.
 */
export function afterReading(then: () => void): void {
  let left = TURNS;
  const turn = (): void => {
    if (left-- > 0) setImmediate(turn);
    else then();
  };
  turn();
}
