import { randomBytes } from 'node:crypto';
import type { Clock, Ids } from '../commands/ports.ts';

export const systemClock: Clock = { now: () => Date.now() };

/** Bytes drawn at once: one call to the system's generator serves many ids. */
const POOL_BYTES = 4096;

/** Ids of one process: UUIDv7 whose order is the order of the calls (RFC 9562, 6.2 method 1). */
export function systemIds(clock: Clock = systemClock): Ids {
  let pool = randomBytes(POOL_BYTES);
  let used = 0;
  let lastMs = 0;
  let counter = 0;

  function take(bytes: number): Buffer {
    if (used + bytes > pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    used += bytes;
    return pool.subarray(used - bytes, used);
  }

  return {
    next() {
      const now = clock.now();
      if (now > lastMs) {
        lastMs = now;
        counter = take(2).readUInt16BE(0) & 0x7ff;
      } else {
        counter += 1;
        if (counter > 0xfff) {
          lastMs += 1;
          counter = 0;
        }
      }
      const time = lastMs.toString(16).padStart(12, '0');
      const tail = take(8).toString('hex');
      const variant = ((Number.parseInt(tail.slice(0, 1), 16) & 0x3) | 0x8).toString(16);
      const count = counter.toString(16).padStart(3, '0');
      return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
    },
    random: () => Math.random(),
    secret: () => take(16).toString('base64url'),
  };
}
