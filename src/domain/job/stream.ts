export const JOB_STREAM_PREFIX = 'job-';

/** Tenant ids hold no dot, so the name can be taken apart again. */
export const jobStream = (tenantId: string, jobId: string): string =>
  `${JOB_STREAM_PREFIX}${tenantId}.${jobId}`;

export interface JobAddress {
  readonly tenantId: string;
  readonly jobId: string;
}

/** The tenant and job that a stream name stands for; undefined for streams of other aggregates. */
export function parseJobStream(stream: string): JobAddress | undefined {
  if (!stream.startsWith(JOB_STREAM_PREFIX)) return undefined;
  const dot = stream.indexOf('.');
  if (dot < 0) return undefined;
  return { tenantId: stream.slice(JOB_STREAM_PREFIX.length, dot), jobId: stream.slice(dot + 1) };
}
