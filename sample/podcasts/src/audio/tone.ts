import type { Sound } from './wav.js';

export interface Tone {
  /** Pitch of the ground note. Default 220. */
  hz?: number;
  /** Length. Default 6, at most 120. */
  seconds?: number;
  /** Between 0 and 1. Default 0.3. */
  volume?: number;
}

const SAMPLE_RATE = 44_100;

/** A chord that swells and fades a few times, so that its waveform is worth a look. */
export function makeTone({ hz = 220, seconds = 6, volume = 0.3 }: Tone = {}): Sound {
  const samples = new Float32Array(Math.round(Math.min(120, Math.max(0.5, seconds)) * SAMPLE_RATE));
  for (let i = 0; i < samples.length; i++) {
    const t = i / SAMPLE_RATE;
    const swell = 0.55 - 0.45 * Math.cos((2 * Math.PI * t * 3) / seconds);
    const turn = 2 * Math.PI * hz * t;
    const chord = (Math.sin(turn) + 0.6 * Math.sin(turn * 1.25) + 0.4 * Math.sin(turn * 1.5)) / 2;
    samples[i] = volume * swell * chord;
  }
  return { sampleRate: SAMPLE_RATE, samples };
}
