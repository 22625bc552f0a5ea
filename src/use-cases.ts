import type pg from 'pg';
import { createStagingArea } from './adapters/postgres/staged-jobs.ts';
import { createAcknowledge } from './commands/acknowledge.ts';
import { createAmendJob } from './commands/amend-job.ts';
import { BulkTurns } from './commands/bulk-turns.ts';
import { createCancelJob } from './commands/cancel-job.ts';
import type { ChangeQueueDeps } from './commands/change-queue.ts';
import type { ChangeQuotaDeps } from './commands/change-quota.ts';
import type { ClaimDispatcher } from './commands/claim-dispatcher.ts';
import { createClaimJobs } from './commands/claim-jobs.ts';
import type { DispatchDeps } from './commands/dispatch-deps.ts';
import { createEnqueueJobs } from './commands/enqueue-jobs.ts';
import { createHeartbeat } from './commands/heartbeat.ts';
import { createLimitQueue } from './commands/limit-queue.ts';
import type { LineProgress } from './commands/line-progress.ts';
import { Overtaker } from './commands/overtaker.ts';
import { createPauseQueue } from './commands/pause-queue.ts';
import { createPurgeDeadLetter } from './commands/purge-dead-letter.ts';
import type { QuotaGate } from './commands/quota-gate.ts';
import { createReadQuota } from './commands/read-quota.ts';
import { createReplayDeadLetter } from './commands/replay-dead-letter.ts';
import { createResetQuota } from './commands/reset-quota.ts';
import { createResumeQueue } from './commands/resume-queue.ts';
import { createResumeTenant } from './commands/resume-tenant.ts';
import { createRetryJob } from './commands/retry-job.ts';
import { createSetTerms } from './commands/set-terms.ts';
import { createSuspendTenant } from './commands/suspend-tenant.ts';
import type { UseCases } from './commands/use-cases.ts';
import { WorkerWatch } from './commands/worker-watch.ts';

export interface UseCaseParts {
  readonly pool: pg.Pool;
  readonly dispatch: DispatchDeps;
  readonly dispatcher: ClaimDispatcher;
  readonly progress: LineProgress;
  readonly gate: QuotaGate;
  readonly maxPayloadBytes?: number | undefined;
}

/** Everything that can be asked of the service, over these parts. */
export function createUseCases({
  pool,
  dispatch,
  dispatcher,
  progress,
  gate,
  maxPayloadBytes,
}: UseCaseParts): UseCases {
  const { log, clock, ids, readyQueue, metrics } = dispatch;
  const change = { log, clock, ids, maxPayloadBytes, gate };
  const changeQueue: ChangeQueueDeps = {
    ...change,
    changed: (settings) => readyQueue.setQueue(settings, clock.now()),
  };
  const changeQuota = { log, clock, ids, changed: gate.know.bind(gate) };
  const suspend: ChangeQuotaDeps = {
    ...changeQuota,
    async changed(tenantId, { state, revision }) {
      gate.know(tenantId, { state, revision });
      if (state) await readyQueue.setTenant({ tenantId, state, revision }, clock.now());
    },
  };
  const workers = new WorkerWatch(readyQueue, clock);
  const overtaker = new Overtaker({ ...dispatch, progress, wake: (lanes) => dispatcher.placed(lanes) });
  const bulkTurns = new BulkTurns(metrics);
  const staging = createStagingArea(pool);
  return {
    enqueueJobs: bulkTurns.enqueueJobs(
      overtaker.enqueueJobs(createEnqueueJobs({ ...change, gate, metrics, staging })),
    ),
    cancelJob: createCancelJob(change),
    retryJob: createRetryJob(change),
    amendJob: createAmendJob(change),
    replayDeadLetter: createReplayDeadLetter(change),
    purgeDeadLetter: createPurgeDeadLetter(change),
    pauseQueue: createPauseQueue(changeQueue),
    resumeQueue: createResumeQueue(changeQueue),
    limitQueue: createLimitQueue(changeQueue),
    claimJobs: createClaimJobs({ ...dispatch, dispatcher, workers }),
    heartbeat: createHeartbeat({ ...dispatch, workers }),
    acknowledge: overtaker.acknowledge(createAcknowledge(dispatch)),
    setTerms: createSetTerms(changeQuota),
    resetQuota: createResetQuota(changeQuota),
    suspendTenant: createSuspendTenant(suspend),
    resumeTenant: createResumeTenant(suspend),
    readQuota: createReadQuota({ log }),
  };
}
