import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { parseCsv } from './parse-csv.js';

/** Some rows of a file, and the bytes where they stand. The first row behind the header is number 1. */
export interface Chunk {
  readonly firstRow: number;
  readonly lastRow: number;
  readonly start: number;
  /** The byte behind the last one. */
  readonly end: number;
}

const QUOTE = 0x22;
const NEWLINE = 0x0a;

/** Reads the file once, without holding it, and says where to cut it: never inside a row. */
export async function chunksOf(path: string, rowsPerChunk: number): Promise<Chunk[]> {
  const ends: number[] = [];
  let at = 0;
  let quoted = false;
  for await (const block of createReadStream(path) as AsyncIterable<Buffer>) {
    for (const byte of block) {
      at++;
      if (byte === QUOTE) quoted = !quoted;
      else if (byte === NEWLINE && !quoted) ends.push(at);
    }
  }
  if (at > (ends.at(-1) ?? 0)) ends.push(at); // no line break behind the last row

  const rows = ends.length - 1;
  const chunks: Chunk[] = [];
  for (let firstRow = 1; firstRow <= rows; firstRow += rowsPerChunk) {
    const lastRow = Math.min(firstRow + rowsPerChunk - 1, rows);
    chunks.push({ firstRow, lastRow, start: ends[firstRow - 1]!, end: ends[lastRow]! });
  }
  return chunks;
}

/** @throws where the bytes are no UTF-8, or no CSV */
export async function readRows(path: string, { start, end }: Pick<Chunk, 'start' | 'end'>): Promise<string[][]> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    return parseCsv(new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, bytesRead)));
  } finally {
    await file.close();
  }
}
