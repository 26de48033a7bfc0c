import type { Sound } from './wav.js';

const COLUMNS = 240;
const HEIGHT = 80;

/** The sound's outline as an SVG: one bar for each column, as tall as the loudest sample in it. */
export function drawWaveform({ samples }: Sound): string {
  const perColumn = Math.max(1, samples.length / COLUMNS);
  const bars: string[] = [];
  for (let column = 0; column < COLUMNS; column++) {
    let peak = 0;
    const end = Math.min(samples.length, Math.floor((column + 1) * perColumn));
    for (let i = Math.floor(column * perColumn); i < end; i++) peak = Math.max(peak, Math.abs(samples[i]!));
    const height = Math.max(1, peak * HEIGHT);
    bars.push(`M${column * 4 + 1.5} ${((HEIGHT - height) / 2).toFixed(1)}v${height.toFixed(1)}`);
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${COLUMNS * 4} ${HEIGHT}">`,
    `<path d="${bars.join('')}" stroke="#e0234e" stroke-width="3" stroke-linecap="round"/>`,
    '</svg>',
    '',
  ].join('\n');
}
