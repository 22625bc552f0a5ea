import type { JobCommand } from '../domain/job/commands.ts';
import { jobStream } from '../domain/job/stream.ts';
import type { CallContext } from './call-context.ts';
import { ContendedError } from './contended-error.ts';
import { createJobHandler, snapshotOf } from './job-handler.ts';
import { isJobId } from './job-id.ts';
import { DEFAULT_MAX_PAYLOAD_BYTES, refusalOf } from './job-limits.ts';
import { commandMetadataFor } from './metadata-for.ts';
import type { Clock, EventLog, Ids } from './ports.ts';
import type { QuotaGate } from './quota-gate.ts';
import { assertTenantId } from './tenant-id.ts';
import type { JobChanged, OnRevision, Refused } from './use-cases.ts';

export interface ChangeJobDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** UTF-8 bytes; default 256 KiB. */
  readonly maxPayloadBytes?: number | undefined;
  /** Holds payloads that are put in to their tenant's limit; absent: there is none. */
  readonly gate?: Pick<QuotaGate, 'weigh'> | undefined;
}

/** Carries out one command on one job. Throws ContendedError and what the log throws. */
export type ChangeJob = (
  context: CallContext,
  jobId: string,
  request: OnRevision & Parameters<typeof refusalOf>[0],
  commandAt: (now: number) => JobCommand,
) => Promise<JobChanged | Refused>;

/**
 * What all changes of a job by people have in common. The stream's name holds the caller's tenant, so another tenant's
 * job is not found like one that never was.
 */
export function createChangeJob(deps: ChangeJobDeps): ChangeJob {
  const { log, clock, ids, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES, gate } = deps;
  const handler = createJobHandler(log);

  return async (context, jobId, request, commandAt) => {
    assertTenantId(context.tenantId);
    if (!isJobId(jobId)) return NOT_FOUND;
    const now = clock.now();
    const unfit = refusalOf(request, now, maxPayloadBytes);
    if (unfit) return { kind: 'refused', reason: unfit };
    const tooLarge =
      gate && request.payload !== undefined && (await gate.weigh(context.tenantId, request.payload));
    if (tooLarge) return tooLarge;
    const stream = jobStream(context.tenantId, jobId);
    const [answer] = await handler.handle([
      {
        stream,
        command: commandAt(now),
        metadata: commandMetadataFor(context, now, ids.next()),
        onlyAtRevision: request.expectedRevision,
      },
    ]);
    if (answer?.kind === 'unreadable') throw answer.error;
    if (answer === undefined || answer.kind === 'contended') throw new ContendedError(stream);
    const snapshot = snapshotOf(context.tenantId, jobId, answer);
    if (!snapshot) return NOT_FOUND;
    switch (answer.kind) {
      case 'accepted':
        return { kind: 'changed', snapshot, position: answer.position };
      case 'rejected':
        return { kind: 'refused', reason: answer.reason };
      case 'revision_mismatch':
        return { kind: 'refused', reason: 'revision_mismatch' };
    }
  };
}

const NOT_FOUND: Refused = { kind: 'refused', reason: 'job_not_found' };
