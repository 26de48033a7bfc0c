const watchers = new Set<() => void>();
let watching = false;

/** Calls `fn` when the process ends, unless it is taken off again: one listener for any number of modules. */
export function onExit(fn: () => void): () => void {
  if (!watching) process.on('exit', () => watchers.forEach((watcher) => watcher()));
  watching = true;
  watchers.add(fn);
  return () => void watchers.delete(fn);
}
