import { CommandRefusedError } from '../../commands/inbound/command-refused-error.ts';
import type { InboundOutcome, Received } from '../../commands/inbound/handle-events.ts';
import { PROBLEMS, type ProblemCode } from './problem-catalogue.ts';
import { HttpProblem, refusal } from './problems.ts';

/** What all messages of a call came to; throws the problem of the first that came to nothing. */
export function receivedOf(outcomes: readonly InboundOutcome[]): Received {
  const sum = { accepted: 0, duplicates: 0, ignored: 0 };
  for (const outcome of outcomes) {
    if (outcome.kind === 'invalid') {
      const errors = outcome.error.faults.map(({ path, message }) => ({ pointer: path, detail: message }));
      throw new HttpProblem('validation', outcome.error.message, { errors });
    }
    if (outcome.kind === 'failed') throw problemFor(outcome.error);
    sum.accepted += outcome.accepted;
    sum.duplicates += outcome.duplicates;
    sum.ignored += outcome.ignored;
  }
  return sum;
}

/** What a command of an event was refused for has a problem of its own; anything else is not foreseen. */
function problemFor(error: Error): Error {
  // The tenant has no room for a job: as if it had been enqueued here.
  if (error instanceof CommandRefusedError && error.refused) return refusal(error.refused);
  const code = 'code' in error ? String(error.code).replaceAll('_', '-') : '';
  return Object.hasOwn(PROBLEMS, code) ? new HttpProblem(code as ProblemCode, error.message) : error;
}
