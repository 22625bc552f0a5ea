import { createHash } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether the text can be the id of a job at all; anything else is not found without asking the log. */
export const isJobId = (text: unknown): text is string => typeof text === 'string' && UUID.test(text);

/** Two ids of one seed differ in these 12 bits at least, so they sort as their indexes do. */
const MAX_INDEX = 0xfff;

/**
 * The id of job number `index` of the command `seed`, a UUIDv7: always the same one, so that a repeated command meets
 * the streams it created before. It has the seed's time. index is 0..4095.
 */
export function deriveJobId(seed: string, index: number): string {
  if (!isJobId(seed)) throw new TypeError(`a seed must be a lower-case UUID: ${seed}`);
  if (!Number.isInteger(index) || index < 0 || index > MAX_INDEX)
    throw new RangeError(`index out of range: ${index}`);
  const hash = createHash('sha256').update(`${seed}/${index}`).digest('hex');
  const variant = ((Number.parseInt(hash.slice(0, 1), 16) & 0x3) | 0x8).toString(16);
  return `${seed.slice(0, 13)}-7${index.toString(16).padStart(3, '0')}-${variant}${hash.slice(1, 4)}-${hash.slice(4, 16)}`;
}
