import { types } from 'node:util';
import { InvalidPayloadError } from './payload-errors.js';

/**
 * The key that marks a value which JSON has no words for: `{ "$t": "Date", "v": "2030-01-01T00:00:00.000Z" }`. An object of the user's
 * that has this key travels as `{ "$t": "Object", "v": { … } }`.
 */
export const TAG = '$t';

/** Containers inside each other, beneath the job's fields. Deep enough for data, shallow enough for every stack. */
export const MAX_DEPTH = 100;
/** Values in one payload. */
export const MAX_NODES = 100_000;

export interface Tagged {
  readonly [TAG]: string;
  readonly v?: unknown;
}

export function tagged(type: string, v: unknown): Tagged {
  return { [TAG]: type, v };
}

export const UNDEFINED: Tagged = Object.freeze({ [TAG]: 'undefined' });
/** An index of an array that was never set. */
export const HOLE: Tagged = Object.freeze({ [TAG]: 'hole' });

type View = { readonly buffer: ArrayBufferLike; readonly byteOffset: number; readonly byteLength: number };
type ViewType = { new (buffer: ArrayBuffer): View; readonly name: string; readonly BYTES_PER_ELEMENT: number };

const VIEWS: readonly ViewType[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  // Node 24 and later.
  ...('Float16Array' in globalThis ? [(globalThis as unknown as { Float16Array: ViewType }).Float16Array] : []),
];

/** How many objects an object's chain of prototypes has: 1 for a plain one, 2 for Date or Map, one more for each class between. */
export function heightOf(proto: object | null): number {
  let height = 0;
  for (let one = proto; one !== null && height < 8; one = Object.getPrototypeOf(one) as object | null) height++;
  return height;
}

/** JSON's own numbers as they are, the others tagged. */
export function writeNumber(value: number): number | Tagged {
  if (value === 0) return Object.is(value, -0) ? tagged('Number', '-0') : value;
  return Number.isFinite(value) ? value : tagged('Number', String(value));
}

/**
 * The tagged form of what holds no other values; `undefined` for everything else. Told by brand, so that what another realm made is
 * known too, and by height, so that a subclass is not mistaken for its parent.
 */
export function writeLeaf(value: object, height: number): Tagged | undefined {
  if (height === 2) {
    if (types.isDate(value)) {
      const at = Date.prototype.getTime.call(value);
      return tagged('Date', Number.isNaN(at) ? null : new Date(at).toISOString());
    }
    if (value instanceof URL) return tagged('URL', value.href);
    if (types.isArrayBuffer(value)) return tagged('ArrayBuffer', Buffer.from(value).toString('base64'));
    return undefined;
  }
  if (!types.isTypedArray(value)) return undefined;
  if (Buffer.isBuffer(value)) return height === 4 ? tagged('Buffer', value.toString('base64')) : undefined;
  if (height !== 3) return undefined;
  return tagged(
    value[Symbol.toStringTag],
    Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
  );
}

const NUMBERS = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
]);
const MOMENT = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const INTEGER = /^-?\d+$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** What brings back the tagged values that hold no others. Each takes `v` as the store gave it. */
export const LEAVES: ReadonlyMap<string, (v: unknown) => unknown> = new Map<string, (v: unknown) => unknown>([
  ['undefined', () => undefined],
  [
    'Number',
    (v) => {
      const value = NUMBERS.get(v as string);
      if (value === undefined) throw malformed('Number');
      return value;
    },
  ],
  ['BigInt', (v) => BigInt(text(v, 'BigInt', INTEGER))],
  [
    'Date',
    (v) => {
      if (v === null) return new Date(NaN);
      const date = new Date(text(v, 'Date', MOMENT));
      if (Number.isNaN(date.getTime())) throw malformed('Date');
      return date;
    },
  ],
  [
    'URL',
    (v) => {
      try {
        return new URL(text(v, 'URL'));
      } catch (error) {
        throw malformed('URL', error);
      }
    },
  ],
  ['Buffer', (v) => bytes(v, 'Buffer')],
  ['ArrayBuffer', (v) => ownMemory(bytes(v, 'ArrayBuffer'))],
  ...VIEWS.map((View): [string, (v: unknown) => unknown] => [
    View.name,
    (v) => {
      const memory = ownMemory(bytes(v, View.name));
      if (memory.byteLength % View.BYTES_PER_ELEMENT !== 0) throw malformed(View.name);
      return new View(memory);
    },
  ]),
]);

export function malformed(type: string, cause?: unknown): InvalidPayloadError {
  return new InvalidPayloadError(
    `The stored payload has a malformed ${type}. It was changed after it was written, or written by something else.`,
    cause === undefined ? undefined : { cause },
  );
}

function text(v: unknown, type: string, pattern?: RegExp): string {
  if (typeof v !== 'string' || (pattern && !pattern.test(v))) throw malformed(type);
  return v;
}

function bytes(v: unknown, type: string): Buffer {
  const written = text(v, type, BASE64);
  if (written.length % 4 !== 0) throw malformed(type);
  return Buffer.from(written, 'base64');
}

/** A copy outside Buffer's shared pool. */
function ownMemory(from: Buffer): ArrayBuffer {
  const memory = new ArrayBuffer(from.byteLength);
  new Uint8Array(memory).set(from);
  return memory;
}
