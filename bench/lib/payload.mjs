/** Numbers have six digits, so that every payload of a cell has the same length (the last of a million have seven). */
export const FIRST_NUMBER = 100_000;

/** Data of a job whose JSON is exactly `bytes` long: `{"n":100000,"p":"…"}`. 25 bytes is the smallest that is used. */
export function payload(n, bytes = 25) {
  return { n, p: filler(bytes) };
}

const fillers = new Map();

function filler(bytes) {
  let text = fillers.get(bytes);
  if (text === undefined) {
    text = 'abcdefghij'.repeat(Math.ceil(bytes / 10)).slice(0, bytes - '{"n":100000,"p":""}'.length);
    fillers.set(bytes, text);
  }
  return text;
}
