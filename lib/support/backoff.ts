/**
 * How long to wait before the next try against something that is down: doubles from `firstMs` up to `capMs`, with half of it left to
 * chance so that many processes do not come back in step.
 */
export function backoffMs(
  failures: number,
  firstMs: number,
  capMs: number,
  random: () => number = Math.random,
): number {
  const whole = Math.min(capMs, firstMs * 2 ** Math.min(failures, 30));
  return whole / 2 + (random() * whole) / 2;
}
