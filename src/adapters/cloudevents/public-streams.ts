import { JOB_STREAM_PREFIX } from '../../domain/job/stream.ts';
import { QUOTA_STREAM_PREFIX, quotaStream } from '../../domain/tenant-quota/stream.ts';

/** Prefixes of all streams that hold public events; with a tenant, those of its own, and maybe of others named alike. */
export const publicStreams = (tenantId?: string): readonly string[] =>
  tenantId === undefined
    ? [JOB_STREAM_PREFIX, QUOTA_STREAM_PREFIX]
    : [`${JOB_STREAM_PREFIX}${tenantId}.`, quotaStream(tenantId)];
