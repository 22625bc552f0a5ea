import type { JobHandler } from './job-handler.ts';
import type { Clock, EventLog, Ids } from './ports.ts';
import type { ReadyQueue } from './ready-queue.ts';
import type { RecentStates } from './recent-states.ts';
import type { Logger, Metrics } from './telemetry.ts';

/** What the use cases and background tasks around running jobs share. */
export interface DispatchDeps {
  readonly log: EventLog;
  readonly handler: JobHandler;
  readonly readyQueue: ReadyQueue;
  /** States of jobs that run, as this process last saw them. */
  readonly running: RecentStates;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}
