import { describe, expect, it } from '@jest/globals';
import { bodyOf, keptBody } from '../../../lib/backends/redis/kept-body.js';

const id = '01a203c2-b870-78d9-b18a-9c7f5d0a12a7';
const envelope = (name: string, displayName: string, rest = ''): string =>
  `{"v":1,"uuid":"${id}","name":${JSON.stringify(name)},"displayName":${JSON.stringify(displayName)},"data":{"n":1}${rest}}`;

describe('a body as Redis keeps it', () => {
  const bodies: readonly (readonly [what: string, body: string])[] = [
    ['a display name that is the name', envelope('noop', 'noop')],
    ['another display name', envelope('noop', 'noopy')],
    ['a display name that begins as the name does not', envelope('noop', 'no')],
    ['quotes and backslashes in the name', envelope('a"b\\', 'a"b\\')],
    ['an empty name', envelope('', '')],
    ['the id once more', envelope('noop', 'noop', `,"of":"${id}"`)],
    ['the mark', envelope('noop\x7f', 'noop\x7f')],
    ['the mark in place of the id', '{"v":1,"uuid":"\x7f","name":"x","displayName":"x"}'],
    ['two marks in place of the id', '{"v":1,"uuid":"\x7f\x7f","name":"x"}'],
    ['its head alone', `{"v":1,"uuid":"${id}","name":"`],
    ['a name without an end', `{"v":1,"uuid":"${id}","name":"x`],
    ['a display name without an end', `{"v":1,"uuid":"${id}","name":"x","displayName":"x`],
    ['NUL and half a pair', `${envelope('noop', 'noop')}\0\ud800`],
    ['nothing', ''],
    ['any text', 'no JSON'],
  ];

  it.each(bodies)('comes back with %s', (_, body) => {
    expect(bodyOf(keptBody(body, id), id)).toBe(body);
  });

  it('is shorter by the display name that is the name, and still JSON', () => {
    const kept = keptBody(envelope('noop', 'noop'), id);
    expect(kept).toHaveLength(envelope('noop', 'noop').length - id.length + 2 - ',"displayName":"noop"'.length);
    expect(JSON.parse(kept)).toEqual({ v: 1, uuid: '\x7f\x7f', name: 'noop', data: { n: 1 } });
  });

  it('is never the same for two texts', () => {
    const kept = bodies.map(([, body]) => keptBody(body, id));
    expect(new Set(kept).size).toBe(bodies.length);
  });
});
