/** The middle value; of an even number of values the mean of the two in the middle. NaN for none. */
export function median(values) {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The smallest value that at least `share` (0 to 1) of the values do not exceed. */
export function percentile(values, share) {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/**
 * The median of the quotients taken round by round: what slows the machine down in one round slows both down. Rounds where either value
 * is missing do not count.
 */
export function ratioWithinRounds(values, references) {
  const quotients = values
    .map((value, round) => value / references[round])
    .filter((quotient) => Number.isFinite(quotient));
  return median(quotients);
}

/** The best value of each round among several peers. */
export function bestPerRound(series, better) {
  const rounds = Math.max(0, ...series.map((values) => values.length));
  return Array.from({ length: rounds }, (_, round) => {
    const values = series.map((one) => one[round]).filter((value) => Number.isFinite(value));
    if (values.length === 0) return undefined;
    return better === 'lower' ? Math.min(...values) : Math.max(...values);
  });
}

/** The slope of the straight line through the points, by least squares. */
export function slope(points) {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  let over = 0;
  let under = 0;
  for (const [x, y] of points) {
    over += (x - meanX) * (y - meanY);
    under += (x - meanX) ** 2;
  }
  return over / under;
}
