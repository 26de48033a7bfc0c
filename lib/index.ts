import 'reflect-metadata';

// Module
export { QueueModule } from './nest/queue.module.js';
export type { QueueModuleAsyncOptions, QueueModuleOptions, QueueOptionsFactory } from './nest/queue-module-options.js';
export type { ConnectionOptions } from './connections/connection-options.js';
export { getQueueConnectionToken, InjectQueueConnection } from './nest/tokens.js';
export { queueConfig } from './nest/queue.config.js';
export { QueueManager } from './nest/queue-manager.js';
export { QueueConnection, type QueueSizes } from './connections/queue-connection.js';
export type { InspectedJob } from './connections/inspected-job.js';
export { FailedJobs } from './operations/failed-jobs.js';

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
export { Value } from './job/value.decorator.js';
export { withoutRelations, WithoutRelations } from './job/without-relations.js';
export { JOB_REF, type JobContext } from './contracts/job-context.js';
export type { JobMiddleware } from './contracts/job-middleware.js';
export type { Dispatchable, DispatchReceipt, InlineClosure, QueueableJob } from './contracts/dispatchable.js';
export type { Duration, Moment } from './support/duration.js';

// Bus
export { QueueBus } from './bus/queue-bus.js';
export type { PendingDispatch } from './bus/pending-dispatch.js';
export type { Batch } from './contracts/batch.js';

// Worker
export { WorkerService } from './nest/worker.service.js';
export { runWorker } from './cli/run-worker.js';
export { runQueueCli } from './cli/queue-cli.js';
export type { StopReason, WorkerOptions, WorkerStatus } from './contracts/worker-options.js';

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

// Errors
export { InvalidOptionError, QueueError } from './support/queue-error.js';
export { MissingPackageError } from './support/load-peer.js';
export { AbilityMissingError } from './contracts/ability-missing-error.js';
export {
  DispatchTimeoutError,
  StoreFullError,
  StoreRefusedError,
  StoreUnreachableError,
} from './contracts/store-errors.js';
export { SchemaError } from './backends/database/schema-error.js';
export { BulkDispatchError } from './bus/dispatcher.js';
export { StoreBusyError, StoreClosedError, StoreUnusableError } from './backends/store-state-errors.js';
export { ConnectionsClosedError } from './connections/connection-manager.js';
export { FailedHookTimeoutError } from './completion/run-failed-hook.js';
export { InjectionError } from './nest/dependencies.js';
export { RetryIncompleteError } from './operations/retry-failed.js';
export { UnknownConnectionError } from './connections/connection-config.js';
export { PayloadTooLargeError } from './connections/fit-driver.js';
export { InvalidQueueNameError } from './connections/queue-name.js';
export { EntityMissingError, InvalidPayloadError, UnserializableError } from './job/payload-errors.js';
export { ManuallyFailedError } from './job/job-context.js';
export { NotAJobError } from './job/job-definition.js';
export { UnknownJobError } from './job/job-registry.js';
export { NextCalledTwiceError } from './middleware/compose.js';
export {
  JobStalledError,
  LeaseLostError,
  MaxAttemptsExceededError,
  TimeoutExceededError,
  UnhandledRejectionError,
} from './worker/worker-errors.js';
