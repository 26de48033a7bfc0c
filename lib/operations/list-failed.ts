import type { ConnectionManager } from '../connections/connection-manager.js';
import { checkOptions, text, whole } from '../connections/option-check.js';
import type { FailedJob, FailedJobQuery } from '../contracts/failed-job-store.js';

/** Records read in one call. */
const PAGE = 100;

/** Failed jobs, page by page, newest first. */
export async function* eachFailedPage(
  connections: ConnectionManager,
  { queue, connection }: FailedJobQuery,
): AsyncGenerator<readonly FailedJob[], void, undefined> {
  const store = await connections.failed();
  let cursor: string | undefined;
  do {
    const page = await store.page({
      limit: PAGE,
      ...(queue !== undefined && { queue }),
      ...(connection !== undefined && { connection }),
      ...(cursor !== undefined && { cursor }),
    });
    yield page.jobs;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Failed jobs, newest first; all that match without a limit. */
export async function listFailed(
  connections: ConnectionManager,
  query: FailedJobQuery & { readonly limit?: number } = {},
): Promise<FailedJob[]> {
  checkOptions({ ...query }, { queue: text, connection: text, limit: whole(1) }, 'query');
  const { limit = Infinity, ...rest } = query;
  const found: FailedJob[] = [];
  for await (const page of eachFailedPage(connections, rest)) {
    for (const job of page) {
      found.push(job);
      if (found.length === limit) return found;
    }
  }
  return found;
}
