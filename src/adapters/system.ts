import { randomBytes } from 'node:crypto';
import type { Clock, Ids } from '../commands/ports.ts';

export const systemClock: Clock = { now: () => Date.now() };

/** Bytes drawn at once: one call to the system's generator serves many ids. */
const POOL_BYTES = 16_384;
/** Every byte as two digits: an id is put together three times a request. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const VARIANT = '89ab';

/** Ids of one process: UUIDv7 whose order is the order of the calls (RFC 9562, 6.2 method 1). */
export function systemIds(clock: Clock = systemClock): Ids {
  let pool = randomBytes(POOL_BYTES);
  let used = 0;
  let lastMs = 0;
  /** lastMs as an id begins with it. */
  let time = '';
  let counter = 0;

  /** Where that many unused bytes are in the pool. */
  function draw(bytes: number): number {
    if (used + bytes > pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    used += bytes;
    return used - bytes;
  }

  function moveTo(ms: number): void {
    const digits = ms.toString(16).padStart(12, '0');
    lastMs = ms;
    time = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
  }

  const hex = (at: number): string => HEX[pool[at] ?? 0] ?? '';

  return {
    next() {
      const now = clock.now();
      if (now > lastMs) {
        moveTo(now);
        counter = pool.readUInt16BE(draw(2)) & 0x7ff;
      } else {
        counter += 1;
        if (counter > 0xfff) {
          moveTo(lastMs + 1);
          counter = 0;
        }
      }
      const at = draw(8);
      const random = pool[at] ?? 0;
      const count = `${(counter >> 8).toString(16)}${HEX[counter & 0xff]}`;
      const variant = `${VARIANT[random & 3]}${(random >> 4).toString(16)}${hex(at + 1)}`;
      return `${time}${count}-${variant}-${hex(at + 2)}${hex(at + 3)}${hex(at + 4)}${hex(at + 5)}${hex(at + 6)}${hex(at + 7)}`;
    },
    random: () => Math.random(),
    secret: () => {
      const at = draw(16);
      return pool.toString('base64url', at, at + 16);
    },
  };
}
