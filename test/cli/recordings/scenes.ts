import type { Press } from './terminal.js';

/** How the recordings of a section come about. What is recorded is on the page itself: every line of a text block that begins with `$`. */
export interface Scene {
  /** What is there before: steps of test/fixtures/recordings/prepare.ts. */
  readonly with?: readonly string[];
  /** What is typed, by the command that it is typed into. */
  readonly presses?: Readonly<Record<string, readonly Press[]>>;
  /** A line that is shown first, where two processes write to one terminal and either may be the first to do so. */
  readonly first?: RegExp;
}

/** By heading; a section that is not here begins with an empty store. */
export const SCENES: Readonly<Record<string, Scene>> = {
  'queue:work': { with: ['podcasts', 'invoice'] },
  'queue:listen': {
    with: ['podcasts'],
    first: /^Processing jobs/,
    presses: { 'queue:listen': [{ after: /(?:DONE[^]*){3}/, signal: 'SIGTERM' }] },
  },
  'queue:supervise': {
    presses: { 'queue:supervise': [{ after: /started[^]*database:default +1 +1 +0 +0/, signal: 'SIGTERM' }] },
  },
  'queue:monitor': { with: ['podcasts', 'delayed', 'invoice'] },
  'queue:inspect': { with: ['podcasts', 'delayed'] },
  'queue:failed': { with: ['failed'] },
  'queue:retry': { with: ['failed'] },
  'queue:forget': { with: ['failed'] },
  'queue:flush': { with: ['failed'] },
  'queue:prune-failed': { with: ['failed'] },
  'queue:batches': { with: ['batch'] },
  'queue:retry-batch': { with: ['batch'] },
  'queue:prune-batches': { with: ['batch'] },
  'queue:clear': {
    with: ['podcasts'],
    presses: { 'queue:clear': [{ after: /\[no\] /, keys: 'no\r' }] },
  },
};
