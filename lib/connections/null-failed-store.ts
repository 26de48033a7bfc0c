import type { FailedJobStore } from '../contracts/failed-job-store.js';

/** Keeps no failed jobs. Forgetting one always succeeds. */
export const nullFailedStore: FailedJobStore = {
  record: () => Promise.resolve(),
  find: () => Promise.resolve(undefined),
  page: () => Promise.resolve({ jobs: [] }),
  count: () => Promise.resolve(0),
  forget: (ids) => Promise.resolve(ids.length),
  prune: () => Promise.resolve(0),
};
