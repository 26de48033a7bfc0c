import { QueueError } from '../support/queue-error.js';

/** A command cannot do what it was asked to. Printed as two lines; the process ends with `exitCode`. */
export class CommandError extends QueueError {
  constructor(
    message: string,
    /** What to do about it. */
    readonly hint: string,
    options?: { cause?: unknown },
  ) {
    super('ERR_QUEUE_COMMAND', message, options);
  }
}

const LOOK_CLOSER = 'Run the command again with -v to see where it comes from.';

/** An error as what is wrong and what to do: the first sentence of its message, and the rest of it. */
export function describeError(error: unknown): { message: string; hint: string } {
  if (error instanceof CommandError) return { message: error.message, hint: error.hint };
  const text = messageOf(error);
  const [first = text] = text.split('\n', 1);
  const sentences = /^(.{8,}?[.!?])\s+(\p{Lu}.*)$/u.exec(first);
  if (sentences) return { message: sentences[1]!, hint: sentences[2]! };
  return { message: first, hint: hintFor(error) ?? LOOK_CLOSER };
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `The command ended with ${String(error)}.`;
  // A refused connection to several addresses is an AggregateError with an empty message.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return error.message.trim() || (inner instanceof Error ? messageOf(inner) : error.name);
}

function hintFor(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'ETIMEDOUT':
      return 'Check that the server is running and that its address in the configuration is right.';
    case 'ERR_MODULE_NOT_FOUND':
    case 'MODULE_NOT_FOUND':
      return 'Install the package, or build the application again.';
    default:
      return undefined;
  }
}
