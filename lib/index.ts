import 'reflect-metadata';

// Module
export { QueueModule } from './nest/queue.module.js';
export type { QueueModuleAsyncOptions, QueueModuleOptions, QueueOptionsFactory } from './nest/queue-module-options.js';
export type { ScheduleOption } from './nest/schedule-wiring.js';
export type { ConnectionOptions, OutboxOptions } from './connections/connection-options.js';
export type * from './connections/own-connections.js';
export { getQueueConnectionToken, InjectQueueConnection } from './nest/tokens.js';
export { queueConfig } from './nest/queue.config.js';
export { QueueManager } from './nest/queue-manager.js';
export { QueueConnection, type QueueSizes } from './connections/queue-connection.js';
export type { InspectedJob } from './connections/inspected-job.js';
export { FailedJobs } from './operations/failed-jobs.js';
export { QueueHealth } from './nest/queue-health.js';
export type { HealthCheckOptions, HealthReport } from './operations/check-health.js';
export type { RetryProgress } from './operations/retry-failed.js';
export type { RestartTarget } from './operations/restart-workers.js';

// Jobs
export {
  AfterCommit,
  Backoff,
  Callable,
  DebounceFor,
  DeleteWhenMissingEntities,
  Encrypted,
  FailOnTimeout,
  Handle,
  Job,
  MaxExceptions,
  Middleware,
  ScheduledJob,
  Timeout,
  Tries,
  Unique,
  UniqueFor,
  UniqueUntilProcessing,
} from './job/job.decorators.js';
export { Queueable } from './job/queueable.js';
export { call } from './job/callable.js';
export { closure } from './job/closure.js';
export { Value } from './job/value.decorator.js';
export { withoutRelations, WithoutRelations } from './job/without-relations.js';
export { JOB_REF, type JobContext } from './contracts/job-context.js';
export type { JobMiddleware } from './contracts/job-middleware.js';
export type {
  ClosureJob,
  Dispatchable,
  DispatchReceipt,
  InlineClosure,
  QueueableJob,
} from './contracts/dispatchable.js';
export type { RequestContextOption } from './job/request-context.js';
export type { Duration, Moment } from './support/duration.js';

// Middleware and limits
export { FailOnException } from './middleware/fail-on-exception.js';
export { Limit } from './middleware/limit.js';
export { RateLimited, RateLimitedWithRedis } from './middleware/rate-limited.js';
export { RateLimiter, type LimiterFunction } from './middleware/rate-limiter.js';
export { Release } from './middleware/release.js';
export { Skip } from './middleware/skip.js';
export { SkipIfBatchCancelled } from './middleware/skip-if-batch-cancelled.js';
export { ThrottlesExceptions, ThrottlesExceptionsWithRedis } from './middleware/throttles-exceptions.js';
export { OverlapLockLostError, WithoutOverlapping } from './middleware/without-overlapping.js';

// Bus
export { QueueBus } from './bus/queue-bus.js';
export { PendingBatch } from './bus/pending-batch.js';
export type { PruneBatchesOptions } from './bus/batches.js';
export type { PendingChain } from './bus/pending-chain.js';
export type { PendingDispatch } from './bus/pending-dispatch.js';
export type { Batch, FakeBatch } from './contracts/batch.js';

// Worker
export { WorkerService } from './nest/worker.service.js';
export { runWorker } from './cli/run-worker.js';
export { runQueueCli } from './cli/queue-cli.js';
export type { StopReason, WorkerOptions, WorkerStatus } from './contracts/worker-options.js';
export type { SupervisorOptions } from './worker/supervisor/supervisor-options.js';

// Events
export * from './contracts/queue-events.js';

// Contracts for drivers and stores of one's own
export type { Backend, BackendContext, BackendFactory } from './contracts/backend.js';
export type * from './contracts/queue-driver.js';
export { unlimited, type DriverLimits } from './contracts/driver-limits.js';
export type * from './contracts/batch-store.js';
export type * from './contracts/control-store.js';
export type * from './contracts/failed-job-store.js';
export type * from './contracts/job-envelope.js';
export type * from './contracts/lock-store.js';
export type * from './contracts/rate-limiter-store.js';
export type * from './contracts/telemetry.js';

// Errors
export { InvalidOptionError, QueueError } from './support/queue-error.js';
export { MissingPackageError } from './support/load-peer.js';
export { AbilityMissingError } from './contracts/ability-missing-error.js';
export { FailedFileBusyError, FailedFileError } from './backends/file/failed-file-error.js';
export {
  DispatchTimeoutError,
  StoreFullError,
  StoreRefusedError,
  StoreUnreachableError,
} from './contracts/store-errors.js';
export { SchemaError } from './backends/database/schema-error.js';
export { BatchMissingError } from './bus/batch-filler.js';
export { BatchFinishedError } from './contracts/batch-finished-error.js';
export { BulkDispatchError } from './bus/bulk-dispatch-error.js';
export { StoreBusyError, StoreClosedError, StoreUnusableError } from './backends/store-state-errors.js';
export { ConnectionsClosedError } from './connections/connection-manager.js';
export { UniqueJobSkippedError } from './completion/unique-job-skipped-error.js';
export { FailedHookTimeoutError } from './completion/run-failed-hook.js';
export { InjectionError } from './nest/dependencies.js';
export { MissingMethodError } from './nest/registered-calls.js';
export { RetryIncompleteError } from './operations/retry-failed.js';
export { UnknownConnectionError } from './connections/connection-config.js';
export { PayloadTooLargeError } from './connections/fit-driver.js';
export { OutboxEntryError } from './connections/outbox-entry.js';
export { InvalidQueueNameError } from './connections/queue-name.js';
export { EntityMissingError, InvalidPayloadError, UnserializableError } from './job/payload-errors.js';
export { PayloadHookError, type PayloadHook } from './job/payload-hooks.js';
export { ContextNotRestoredError } from './worker/restored-context.js';
export { SignatureError } from './job/envelope-signature.js';
export { ClosureSourceError } from './job/closure-check.js';
export { BatchNotDispatchedError } from './job/batch-job.js';
export { ClosureNotDispatchedError } from './job/queued-closure.js';
export { DecryptionError } from './job/payload-seal.js';
export { ManuallyFailedError } from './job/job-context.js';
export { JobAssertionError } from './job/job-interactions.js';
export { NotAJobError } from './job/job-definition.js';
export { UnknownJobError } from './job/job-registry.js';
export { NoAttemptError } from './middleware/attempt-of.js';
export { LimiterTimeoutError } from './middleware/blocking-limiter.js';
export { NextCalledTwiceError } from './middleware/compose.js';
export {
  JobStalledError,
  LeaseLostError,
  MaxAttemptsExceededError,
  TimeoutExceededError,
  UnhandledRejectionError,
} from './worker/worker-errors.js';
