import { createHash } from 'node:crypto';

/** 128 bits of the key as text that fits into a stream name: a tenant can at worst collide with itself. */
export const dedupeKeyHash = (key: string): string =>
  createHash('sha256').update(key).digest().subarray(0, 16).toString('base64url');
