/**
 * Whether a job does not want to be sent after all: its `prepareForDispatch()` answers exactly `false`, or a promise of it. Asked before
 * anything else is done with it; that method is also the place for last preparations.
 */
export function declined(job: unknown): boolean | Promise<boolean> {
  const { prepareForDispatch } = (job ?? {}) as { prepareForDispatch?: unknown };
  if (typeof prepareForDispatch !== 'function') return false;
  const answer: unknown = (prepareForDispatch as () => unknown).call(job);
  return answer instanceof Promise ? answer.then((one) => one === false) : answer === false;
}
