import type { InspectAbility, JobState, StoredJob } from '../contracts/queue-driver.js';
import { checkOptions, whole } from './option-check.js';

/** A job in its queue, for people to look at. */
export interface InspectedJob {
  /** The job's uuid. */
  readonly id: string;
  readonly queue: string;
  /** Its display name; '(unreadable)' where the body tells none. */
  readonly name: string;
  readonly attempts: number;
  /** The body as it travels; empty where it is not a JSON object. */
  readonly payload: object;
  readonly createdAt: Date | null;
}

export function inspectedJob(stored: StoredJob): InspectedJob {
  const payload = parsedBody(stored.body);
  const name = [payload['displayName'], payload['name']].find((one) => typeof one === 'string' && one !== '');
  const createdAt = stored.createdAt ?? payload['createdAt'];
  return {
    id: stored.id,
    queue: stored.queue,
    name: (name as string | undefined) ?? '(unreadable)',
    attempts: stored.attempts,
    payload,
    createdAt: typeof createdAt === 'number' && Math.abs(createdAt) <= 8.64e15 ? new Date(createdAt) : null,
  };
}

/** The JSON object that a body is; an empty one where it is something else. */
export function parsedBody(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

/** Which part of a list. Pages count from 1. */
export interface InspectPage {
  /** Default 50. */
  readonly limit?: number;
  /** Default 1. */
  readonly page?: number;
}

const PAGE_RULES = { limit: whole(1), page: whole(1) };

/** A page by its number; the store's own are found one behind the other. @throws InvalidOptionError */
export async function storedPage(
  inspect: () => Promise<InspectAbility>,
  queue: string,
  state: JobState,
  wanted: InspectPage,
): Promise<readonly StoredJob[]> {
  checkOptions({ ...wanted }, PAGE_RULES, 'page');
  const { limit = 50, page = 1 } = wanted;
  const inspection = await inspect();
  let cursor: string | undefined;
  for (let at = 1; ; at += 1) {
    const found = await inspection.page(queue, state, { limit, ...(cursor !== undefined && { cursor }) });
    if (at === page) return found.jobs;
    if (found.next === undefined) return [];
    cursor = found.next;
  }
}
