export const API_KEY_STREAM_PREFIX = 'credentials-';

export const apiKeyStream = (keyId: string): string => `${API_KEY_STREAM_PREFIX}${keyId}`;

/** The key that a stream name stands for; undefined for streams of other aggregates. */
export const parseApiKeyStream = (stream: string): string | undefined =>
  stream.startsWith(API_KEY_STREAM_PREFIX) ? stream.slice(API_KEY_STREAM_PREFIX.length) : undefined;
