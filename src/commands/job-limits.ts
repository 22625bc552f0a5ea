import type { JsonText } from '../domain/json-text.ts';
import type { RequestRejection } from './use-cases.ts';

/** Most jobs in one call. */
export const MAX_JOBS_PER_CALL = 1_000;
/** UTF-8 bytes of a payload, unless configured otherwise. */
export const DEFAULT_MAX_PAYLOAD_BYTES = 256 * 1024;

const EARLIEST_RUN = Date.UTC(2000, 0, 1);
const FARTHEST_RUN_MS = 10 * 366 * 86_400_000;
/** No UTF-16 unit takes more bytes in UTF-8. */
const MOST_BYTES_PER_UNIT = 3;

interface Limited {
  readonly payload?: JsonText | undefined;
  readonly runAt?: number | undefined;
  readonly deadlineAt?: number | undefined;
}

/** Why a request can't be carried out whatever the job is like; undefined when nothing is wrong with it. */
export function refusalOf(
  { payload, runAt, deadlineAt }: Limited,
  now: number,
  maxPayloadBytes: number,
): RequestRejection | undefined {
  if (runAt !== undefined && !isPossibleTime(runAt, now)) return 'run_at_out_of_range';
  // One that is over is taken, and dead-lettered: whoever repeats a call late must get the answer of the first.
  if (runAt !== undefined && deadlineAt !== undefined && deadlineAt <= runAt) return 'run_at_out_of_range';
  if (payload !== undefined && isLonger(payload, maxPayloadBytes)) return 'payload_too_large';
  return undefined;
}

/** From 2000 on, at most ten years ahead; false for NaN. */
function isPossibleTime(time: number, now: number): boolean {
  return Number.isSafeInteger(time) && time >= EARLIEST_RUN && time <= now + FARTHEST_RUN_MS;
}

function isLonger(text: string, bytes: number): boolean {
  return text.length * MOST_BYTES_PER_UNIT > bytes && Buffer.byteLength(text) > bytes;
}
