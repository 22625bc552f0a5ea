import { invalid } from './problems.ts';
import { parseOptionalTime } from './rfc3339.ts';

/** An end that somebody sets: one that has passed would be answered like a success and change nothing. */
export function futureTime(pointer: string, text: string | undefined, now: number): number | undefined {
  const at = parseOptionalTime(text);
  if (at !== undefined && at <= now) throw invalid(pointer, 'lies in the past');
  return at;
}
