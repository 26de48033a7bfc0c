import type { ConnectionManager } from '../connections/connection-manager.js';

/** Deletes the record of a failed job. False where nothing is recorded under that id. */
export async function forgetFailed(connections: ConnectionManager, id: string): Promise<boolean> {
  const store = await connections.failed();
  return (await store.forget([id])) > 0;
}
