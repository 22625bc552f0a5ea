import { Command } from 'commander';
import type { JobHistoryEvent } from '../../adapters/http/contract/events.ts';
import type { JobAttempt } from '../../adapters/http/contract/jobs.ts';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { shortText } from '../format.ts';
import { jobText } from '../job-text.ts';
import type { Output } from '../output.ts';
import { type Session, sessionOf } from '../session.ts';
import { pastTime, wholeNumber } from '../values.ts';

interface Options {
  readonly revision?: number;
  readonly asOf?: string;
  readonly events?: boolean;
  readonly attempts?: boolean;
}

export function getCommand(): Command {
  const command = new Command('get')
    .description('Show a job as it stands, or as it stood')
    .argument('<job>', 'its id')
    .option('--revision <n>', 'as it stood after this event of its history', wholeNumber(0, 2_147_483_647))
    .option('--as-of <time>', 'as it stood at a time, or 10m ago', pastTime)
    .option('--events', 'its whole history instead: every event, who caused it, what it says')
    .option('--attempts', 'who worked on it instead, when, and how it ended')
    .action(async (id: string, options: Options, self: Command) => {
      const session = sessionOf(self);
      const { revision, asOf, events = false, attempts = false } = options;
      const asked = [revision, asOf, events || undefined, attempts || undefined].filter(
        (one) => one !== undefined,
      );
      if (asked.length > 1) throw usageError('give one of --revision, --as-of, --events and --attempts');
      if (events) return showHistory(session, id);
      if (attempts) return showAttempts(session, id);
      const at = asOf === undefined ? {} : { asOf: new Date(asOf) };
      const job = await session.client.get(id, revision === undefined ? at : { revision });
      await session.out.result(job, () => jobText(session.out, job));
    });
  return withExample(command, 'get 019340a1-7f3e-7000-8c11-2a3b4c5d6e7f --as-of 10m');
}

async function showHistory({ client, out }: Session, id: string): Promise<void> {
  const events: JobHistoryEvent[] = [];
  for await (const event of client.history(id)) events.push(event);
  await out.result(events, () => historyTable(out, events));
}

function historyTable(out: Output, events: readonly JobHistoryEvent[]): string {
  const rows = events.map(({ revision, occurredAt, event, actor, data }) => [
    String(revision),
    occurredAt,
    event,
    shortText(actor.id, 30),
    shortText(JSON.stringify(data), 80),
  ]);
  return out.table(['REV', 'WHEN', 'EVENT', 'BY', 'WHAT'], rows);
}

async function showAttempts({ client, out }: Session, id: string): Promise<void> {
  const attempts = await client.attempts(id);
  await out.result(attempts, () => attemptTable(out, attempts));
}

export function attemptTable(out: Output, attempts: readonly JobAttempt[]): string {
  const rows = attempts.map(({ attempt, workerId, startedAt, endedAt, outcome, error }) => [
    String(attempt),
    workerId,
    startedAt,
    endedAt ? `${Date.parse(endedAt) - Date.parse(startedAt)} ms` : '',
    outcome,
    shortText(error ? `${error.type}: ${error.message}` : '', 60),
  ]);
  return out.table(['ATTEMPT', 'WORKER', 'STARTED', 'TOOK', 'OUTCOME', 'ERROR'], rows);
}
