import type { ListDeadLettersQuery } from '../adapters/http/contract/dead-letters.ts';
import { JobsApiError } from '../sdk/errors.ts';
import { CliError } from './cli-error.ts';
import { numberText } from './format.ts';
import type { Session } from './session.ts';

export interface Selection {
  readonly type?: string;
  readonly queue?: string;
  readonly fingerprint?: string;
}

const AT_ONCE = 8;
const SHOWN_REFUSALS = 20;

/**
 * Changes every dead letter that matches now. They are found first and changed then, as the list moves under our feet
 * otherwise. One that somebody else has changed in between counts as refused and stops nothing.
 */
export async function eachDeadLetter(
  { client, out, signal }: Session,
  filter: Partial<ListDeadLettersQuery>,
  { done, change }: { readonly done: string; readonly change: (jobId: string) => Promise<unknown> },
): Promise<void> {
  const ids: string[] = [];
  for await (const { jobId } of client.deadLetters.listAll({ ...filter, limit: 200 })) ids.push(jobId);
  const counts = { matched: ids.length, changed: 0, refused: 0 };
  const rest = ids.values();

  async function work(): Promise<void> {
    for (const id of rest) {
      if (signal.aborted) return;
      try {
        await change(id);
        counts.changed += 1;
      } catch (error) {
        if (!(error instanceof JobsApiError) || error.status >= 500) throw error;
        counts.refused += 1;
        if (counts.refused <= SHOWN_REFUSALS) out.note(`${id}: ${error.message}`);
      }
    }
  }

  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await out.result(counts, () => `${numberText(counts.changed)} of ${numberText(counts.matched)} ${done}`);
  if (signal.aborted) throw new CliError('interrupted');
  if (counts.refused > 0) throw new CliError(`${numberText(counts.refused)} were refused`);
}
