import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./cell-main.mjs', import.meta.url));

/**
 * Starts a process for a task. `result` settles when it has sent its result or has ended without one; `said(word)` settles when it has
 * sent that word.
 */
export function start(task, { execPath = process.execPath, execArgv = [], timeoutMs = 180_000 } = {}) {
  const child = fork(MAIN, [JSON.stringify(task)], { execPath, execArgv, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr = (stderr + chunk).slice(-4_000)));
  const words = new Map();
  const heard = (word) => {
    if (!words.has(word)) {
      let hear;
      const promise = new Promise((resolve) => (hear = resolve));
      words.set(word, { promise, hear });
    }
    return words.get(word);
  };
  const result = new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`no result within ${timeoutMs / 1_000} s. ${stderr}`));
    }, timeoutMs);
    child.on('message', (message) => {
      if ('word' in message) heard(message.word).hear();
      else if ('error' in message) reject(new Error(message.error));
      else resolve(message.result);
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${signal ?? code} and no result. ${stderr}`));
    });
  });
  // Whoever waits for a word must not wait for a process that has ended.
  const said = (word) => Promise.race([heard(word).promise, result.then(() => undefined)]);
  return { result, said, tell: (word) => child.send({ word }), kill: () => child.kill('SIGKILL') };
}

/** In the child: resolves when the parent has said the word. */
export function hear(word) {
  return new Promise((resolve) => {
    const listener = (message) => {
      if (message.word !== word) return;
      process.off('message', listener);
      resolve();
    };
    process.on('message', listener);
  });
}

/** In the child. */
export function say(word) {
  process.send({ word });
}
