export const DEDUPE_KEY_STREAM_PREFIX = 'dedupe-';

/** `hash` stands for the key: keys are free text, stream names are not. */
export const dedupeKeyStream = (tenantId: string, hash: string): string =>
  `${DEDUPE_KEY_STREAM_PREFIX}${tenantId}.${hash}`;
