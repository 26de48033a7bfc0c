import type { Patience } from './link.js';

/** How long a verb of a store that is no queue takes at most, as on the SQL servers. What such a verb writes may be written twice. */
export const STORE_PATIENCE: Patience = { ms: 5_000, lost: 'repeat' };
