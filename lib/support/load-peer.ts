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

/**
 * Imports an optional peer package.
 *
 * @param load `() => import('libsql')`, written out at the call so that bundlers and type checkers see it
 * @throws MissingPackageError with the command that installs it; any other failure of the package's own code as it is
 */
export async function loadPeer<T>(
  peer: { name: string; purpose: string; install: string },
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
      throw new MissingPackageError(peer.name, peer.purpose, peer.install, error);
    }
    throw error;
  }
}
