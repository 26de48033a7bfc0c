import type { Output } from './output.js';

const CELLS = 12;

/** `██████░░░░░░  50%` on a terminal; what is piped has the figure alone. */
export function progressBar({ isTerminal }: Output, percent: number): string {
  const figure = `${percent}%`;
  if (!isTerminal) return figure;
  const filled = Math.floor((Math.min(Math.max(percent, 0), 100) / 100) * CELLS);
  return `${'█'.repeat(filled)}${'░'.repeat(CELLS - filled)} ${figure.padStart(4)}`;
}
