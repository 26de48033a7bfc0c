import { afterAll, describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AudioProcessor } from '../../sample/podcasts/src/audio/audio-processor.js';
import { loudnessOf } from '../../sample/podcasts/src/audio/loudness.js';
import { makeTone } from '../../sample/podcasts/src/audio/tone.js';
import { decodeWav, encodeWav, type Sound } from '../../sample/podcasts/src/audio/wav.js';
import { temporary } from './checkout.js';

const workplace = temporary('audio');
afterAll(() => workplace.remove());

function sine(hz: number, level: number, seconds = 2, sampleRate = 48_000): Sound {
  const samples = new Float32Array(seconds * sampleRate);
  for (let i = 0; i < samples.length; i++) samples[i] = level * Math.sin((2 * Math.PI * hz * i) / sampleRate);
  return { sampleRate, samples };
}

function files(name: string): { source: string; waveform: string; normalised: string } {
  const path = (ending: string) => join(workplace.path, `${name}.${ending}`);
  return { source: path('wav'), waveform: path('svg'), normalised: path('normalised.wav') };
}

describe("the sample's audio", () => {
  it('measures loudness as the standard says: a full 997 Hz sine in one channel is -3.01 LUFS', () => {
    expect(loudnessOf(sine(997, 1))).toBeCloseTo(-3.01, 1);
    expect(loudnessOf(sine(997, 1, 2, 44_100))).toBeCloseTo(-3.01, 1);
    expect(loudnessOf(sine(997, 0.1))).toBeCloseTo(-23.01, 1);
    expect(loudnessOf(sine(30, 1))).toBeLessThan(-8);
    expect(loudnessOf(sine(997, 0))).toBe(-Infinity);
  });

  it('reads what it writes', () => {
    const { sampleRate, samples } = decodeWav(encodeWav(sine(440, 0.5, 1)));
    expect(sampleRate).toBe(48_000);
    expect(samples).toHaveLength(48_000);
    expect(Math.max(...samples.slice(0, 1000))).toBeCloseTo(0.5, 3);
  });

  it('mixes stereo down and steps over chunks it does not know', () => {
    const mono = encodeWav(sine(440, 0.5, 1));
    const stereo = Buffer.from(mono);
    stereo.writeUInt16LE(2, 22);
    expect(decodeWav(stereo).samples).toHaveLength(24_000);
    const extra = Buffer.concat([Buffer.from('LIST'), Buffer.from([3, 0, 0, 0]), Buffer.alloc(4)]);
    expect(decodeWav(Buffer.concat([mono.subarray(0, 36), extra, mono.subarray(36)])).samples).toHaveLength(48_000);
  });

  it('says what is wrong with a broken file', () => {
    const whole = encodeWav(makeTone({ seconds: 1 }));
    expect(() => decodeWav(Buffer.from('<html>'))).toThrow('not a WAV file');
    expect(() => decodeWav(whole.subarray(0, 5000))).toThrow('cut off: the chunk "data" should have 88200 bytes, 4956');
    expect(() => decodeWav(whole.subarray(0, 44).fill(0, 36, 44))).toThrow('no data chunk');
  });

  it('levels a quiet sound to -16 LUFS and a peaky one to its ceiling, and draws both', async () => {
    const processor = new AudioProcessor();
    const quiet = files('quiet');
    writeFileSync(quiet.source, encodeWav(sine(997, 0.05)));
    const report = await processor.process(quiet, new AbortController().signal);
    expect(report.seconds).toBe(2);
    expect(report.peakDb).toBeCloseTo(-26.02, 1);
    expect(report.rmsDb).toBeCloseTo(-29.03, 1);
    expect(report.gainDb).toBeCloseTo(13, 0);
    expect(loudnessOf(decodeWav(readFileSync(quiet.normalised)))).toBeCloseTo(-16, 1);
    expect(readFileSync(quiet.waveform, 'utf8')).toMatch(/^<svg .*\n<path d="M1\.5 .*\n<\/svg>\n$/);

    const peaky = files('peaky');
    const { samples } = sine(997, 0.01);
    samples[5000] = 0.9;
    writeFileSync(peaky.source, encodeWav({ sampleRate: 48_000, samples }));
    const { gainDb } = await processor.process(peaky, new AbortController().signal);
    expect(gainDb).toBeCloseTo(-1 - 20 * Math.log10(0.9), 1);
  });

  it('stops when it is aborted, without a levelled file', async () => {
    const one = files('aborted');
    writeFileSync(one.source, encodeWav(sine(440, 0.5)));
    const controller = new AbortController();
    const processing = new AudioProcessor().process(one, controller.signal);
    controller.abort(new Error('out of time'));
    await expect(processing).rejects.toThrow('abort');
    expect(() => readFileSync(one.normalised)).toThrow('ENOENT');
  });
});
