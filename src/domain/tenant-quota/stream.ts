export const QUOTA_STREAM_PREFIX = 'quota-';

export const quotaStream = (tenantId: string): string => `${QUOTA_STREAM_PREFIX}${tenantId}`;

/** The tenant that a stream name stands for; undefined for streams of other aggregates. */
export const parseQuotaStream = (stream: string): string | undefined =>
  stream.startsWith(QUOTA_STREAM_PREFIX) ? stream.slice(QUOTA_STREAM_PREFIX.length) : undefined;
