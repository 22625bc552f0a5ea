import { waitUntil } from './wait-until.ts';

const DAY_MS = 86_400_000;

/**
 * Lets UTC midnight pass when it is nearer than a test takes: what was used of a day would begin at 0 in the middle of it.
 * For a beforeAll with a timeout that is a little longer.
 */
export const withinOneDay = (testMs: number): Promise<true> =>
  waitUntil('midnight has passed', () => DAY_MS - (Date.now() % DAY_MS) > testMs, {
    timeoutMs: testMs + 5_000,
    everyMs: 500,
  });
