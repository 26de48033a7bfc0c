import type { Effects } from '../../contracts/queue-driver.js';

/** Effects as a record keeps them, until they are applied in other slots. */
export function effectsText(effects: Effects): string {
  // JSON knows no Infinity: a time to live that is without end is null in it.
  return JSON.stringify(effects);
}

export function readEffects(text: string): Effects {
  const { failure, ...rest } = JSON.parse(text, (key, value: unknown) =>
    key === 'ttlMs' && value === null ? Infinity : value,
  ) as Effects;
  return failure ? { ...rest, failure: { ...failure, failedAt: new Date(failure.failedAt) } } : rest;
}
