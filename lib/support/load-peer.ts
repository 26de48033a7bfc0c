import { QueueError } from './queue-error.js';

/** A package that the chosen driver needs is not installed. */
export class MissingPackageError extends QueueError {
  constructor(name: string, purpose: string, install: string, cause: unknown) {
    super(
      'ERR_QUEUE_MISSING_PACKAGE',
      `${purpose} needs the package ${name}, which is not installed. Run: ${install}`,
      {
        cause,
      },
    );
  }
}

/** An optional package, what it is for, and the command that installs it. */
export interface Peer {
  readonly name: string;
  readonly purpose: string;
  readonly install: string;
}

/**
 * Imports an optional peer package.
 *
 * @param load `() => import('libsql')`, written out at the call so that bundlers and type checkers see it
 * @throws MissingPackageError with the command that installs it; any other failure of the package's own code as it is
 */
export async function loadPeer<T>(peer: Peer, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw missing(peer, error);
  }
}

/** The same at once, for a package that can be required. @throws as `loadPeer` */
export function requirePeer<T>(peer: Peer, load: () => T): T {
  try {
    return load();
  } catch (error) {
    throw missing(peer, error);
  }
}

function missing({ name, purpose, install }: Peer, error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
  return isMissing ? new MissingPackageError(name, purpose, install, error) : error;
}
