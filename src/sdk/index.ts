export { JobsClient } from './client.ts';
export {
  AttemptAbortedError,
  FatalError,
  JobsApiError,
  JobsConnectionError,
  ReleaseError,
  RetryAfterError,
} from './errors.ts';
export type { FeedEvent, FeedFilter } from './event-stream.ts';
export type { ConnectionOptions } from './http.ts';
export type { ClaimedJob, WorkerTransport } from './transport.ts';
export { type Handlers, type JobMap, JobsWorker, type WorkerOptions } from './worker.ts';
