/** How an attempt ended. The one value that everything after it is made from. */
export type Outcome =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'retry';
      readonly delayMs: number;
      /** Absent when the job was released by hand. */
      readonly error?: unknown;
      /** False gives the pick-up back. Default true. */
      readonly countAttempt?: boolean;
      readonly memo?: string;
    }
  | { readonly kind: 'failed'; readonly error: Error };
