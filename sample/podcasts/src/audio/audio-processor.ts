import { Injectable } from '@nestjs/common';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { writeWhole } from '../whole-file.js';
import { loudnessOf } from './loudness.js';
import { drawWaveform } from './waveform.js';
import { decodeWav, encodeWav, type Sound } from './wav.js';

export interface AudioReport {
  seconds: number;
  /** Highest sample, in dB below full scale. */
  peakDb: number;
  rmsDb: number;
  loudnessLufs: number;
  /** What the normalised copy was turned up or down by. */
  gainDb: number;
}

/** The sound of a podcast has not been uploaded yet. */
export class AudioMissingError extends Error {
  override readonly name = 'AudioMissingError';
}

/** What podcasts are commonly levelled to. */
const TARGET_LUFS = -16;
const CEILING_DB = -1;

@Injectable()
export class AudioProcessor {
  /** Measures a WAV file, writes its waveform and a copy at the usual loudness. Stops between steps once aborted. */
  async process(
    files: { source: string; waveform: string; normalised: string },
    signal: AbortSignal,
  ): Promise<AudioReport> {
    const sound = decodeWav(await read(files.source, signal));
    const { peakDb, rmsDb } = levelsOf(sound);
    await pause(signal);

    const loudnessLufs = loudnessOf(sound);
    await pause(signal);

    await writeWhole(files.waveform, drawWaveform(sound));
    const gainDb = Number.isFinite(loudnessLufs) ? Math.min(TARGET_LUFS - loudnessLufs, CEILING_DB - peakDb) : 0;
    const factor = 10 ** (gainDb / 20);
    await pause(signal);

    const samples = sound.samples.map((sample) => sample * factor);
    await writeWhole(files.normalised, encodeWav({ sampleRate: sound.sampleRate, samples }));
    return { seconds: sound.samples.length / sound.sampleRate, peakDb, rmsDb, loudnessLufs, gainDb };
  }
}

async function read(path: string, signal: AbortSignal): Promise<Buffer> {
  try {
    return await readFile(path, { signal });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new AudioMissingError(`${basename(path)} has not been uploaded yet`, { cause: error });
  }
}

function levelsOf({ samples }: Sound): { peakDb: number; rmsDb: number } {
  let peak = 0;
  let power = 0;
  for (const sample of samples) {
    peak = Math.max(peak, Math.abs(sample));
    power += sample * sample;
  }
  return { peakDb: toDb(peak), rmsDb: toDb(Math.sqrt(power / samples.length)) };
}

function toDb(level: number): number {
  return 20 * Math.log10(level);
}

/** Lets timers, leases and other jobs have their turn between two steps that keep the processor busy. */
async function pause(signal: AbortSignal): Promise<void> {
  await breathe();
  signal.throwIfAborted();
}
