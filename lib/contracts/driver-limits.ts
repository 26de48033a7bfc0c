/** What a driver can carry in one verb. Infinity is no limit. */
export interface DriverLimits {
  /** The longest delay. */
  readonly delayMs: number;
  /** The longest wait in one reserve. */
  readonly waitMs: number;
  /** The longest lease, all renewals together. */
  readonly leaseMs: number;
  readonly bodyBytes: number;
  readonly pushBatch: number;
  readonly reserveBatch: number;
  readonly settleBatch: number;
}

export const unlimited: DriverLimits = {
  delayMs: Infinity,
  waitMs: Infinity,
  leaseMs: Infinity,
  bodyBytes: Infinity,
  pushBatch: Infinity,
  reserveBatch: Infinity,
  settleBatch: Infinity,
};
