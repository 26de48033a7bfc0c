/** Mono sound: samples between -1 and 1. */
export interface Sound {
  readonly sampleRate: number;
  readonly samples: Float32Array;
}

/** The file is not a WAV file that can be read. */
export class BrokenAudioError extends Error {
  override readonly name = 'BrokenAudioError';
}

const HEADER_BYTES = 44;

/** 16-bit PCM, one channel. */
export function encodeWav({ sampleRate, samples }: Sound): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + samples.length * 2);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); // PCM
  bytes.writeUInt16LE(1, 22); // channels
  bytes.writeUInt32LE(sampleRate, 24);
  bytes.writeUInt32LE(sampleRate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(samples.length * 2, 40);
  for (let i = 0; i < samples.length; i++) {
    const value = Math.max(-1, Math.min(1, samples[i]!));
    bytes.writeInt16LE(Math.round(value * 32767), HEADER_BYTES + i * 2);
  }
  return bytes;
}

/** Reads 16-bit PCM with any number of channels, mixed down to one. */
export function decodeWav(bytes: Buffer): Sound {
  if (
    bytes.length < HEADER_BYTES ||
    bytes.toString('latin1', 0, 4) !== 'RIFF' ||
    bytes.toString('latin1', 8, 12) !== 'WAVE'
  ) {
    throw new BrokenAudioError('not a WAV file: it does not begin with RIFF…WAVE');
  }
  let format: { channels: number; sampleRate: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const start = at + 8;
    if (start + length > bytes.length) {
      throw new BrokenAudioError(
        `cut off: the chunk "${name}" should have ${length} bytes, ${bytes.length - start} are there`,
      );
    }
    if (name === 'fmt ') {
      if (bytes.readUInt16LE(start) !== 1 || bytes.readUInt16LE(start + 14) !== 16) {
        throw new BrokenAudioError('only 16-bit PCM can be read');
      }
      format = { channels: bytes.readUInt16LE(start + 2), sampleRate: bytes.readUInt32LE(start + 4) };
    } else if (name === 'data') {
      if (!format || format.channels === 0) throw new BrokenAudioError('the format chunk is missing');
      return {
        sampleRate: format.sampleRate,
        samples: mixDown(bytes.subarray(start, start + length), format.channels),
      };
    }
    at = start + length + (length % 2);
  }
  throw new BrokenAudioError('there is no sound in it: no data chunk');
}

function mixDown(pcm: Buffer, channels: number): Float32Array {
  const samples = new Float32Array(Math.floor(pcm.length / (channels * 2)));
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += pcm.readInt16LE((i * channels + channel) * 2);
    samples[i] = sum / channels / 32768;
  }
  return samples;
}
