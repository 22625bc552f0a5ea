import type { JobEnqueued } from '../domain/job/events.ts';
import type { Job } from '../domain/job/state.ts';
import { jobStream } from '../domain/job/stream.ts';
import type { EventMetadata } from '../domain/metadata.ts';
import { ContendedError } from './contended-error.ts';
import type { Known } from './handle.ts';
import { type JobHandler, snapshotOf } from './job-handler.ts';
import { NO_STREAM } from './ports.ts';
import type { EnqueueResult } from './use-cases.ts';

export interface NewJob {
  readonly jobId: string;
  readonly data: JobEnqueued['data'];
  /** Look before creating; a wrong guess costs a round trip, nothing else. */
  readonly probablyExists?: boolean | undefined;
}

const NOTHING: Known<Job> = { state: { status: 'none' }, revision: NO_STREAM };

/**
 * Creates jobs under their ids; one that exists is answered as it stands. New streams are assumed not to exist, which
 * saves reading them: the append proves it.
 */
export async function createJobs(
  handler: JobHandler,
  metadata: EventMetadata,
  jobs: readonly NewJob[],
): Promise<readonly EnqueueResult[]> {
  const { tenantId, occurredAt } = metadata;
  const handled = await handler.handle(
    jobs.map(({ jobId, data, probablyExists }) => ({
      stream: jobStream(tenantId, jobId),
      command: { type: 'EnqueueJob', job: data, at: occurredAt },
      metadata,
      assume: probablyExists ? undefined : NOTHING,
    })),
  );
  return jobs.map(({ jobId }, index): EnqueueResult => {
    const answer = handled[index];
    if (answer?.kind === 'unreadable') throw answer.error;
    if (answer === undefined || answer.kind === 'contended' || answer.kind === 'revision_mismatch')
      throw new ContendedError(jobStream(tenantId, jobId));
    const snapshot = snapshotOf(tenantId, jobId, answer);
    if (!snapshot) return { kind: 'refused', reason: 'job_exists' };
    if (answer.kind === 'accepted' && answer.position !== undefined)
      return { kind: 'created', snapshot, position: answer.position };
    return { kind: 'deduplicated', snapshot };
  });
}
