import { Command } from 'commander';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { jobText } from '../job-text.ts';
import { sessionOf } from '../session.ts';
import { json, jsonFile, several, time, wholeNumber } from '../values.ts';

interface Options {
  readonly priority?: number;
  readonly runAt?: string;
  readonly payload?: unknown;
  readonly payloadFile?: unknown;
  readonly tag?: string[];
  readonly reason?: string;
  readonly revision?: number;
}

export function amendCommand(): Command {
  const command = new Command('amend')
    .description('Change a job that waits')
    .argument('<job>', 'its id')
    .option('--priority <1-9>', '1 is taken first', wholeNumber(1, 9))
    .option('--run-at <time>', 'not before: a time, or 10m from now', time)
    .option('--payload <json>', 'another payload', json)
    .option('--payload-file <file>', 'the same from a file; - is standard input', jsonFile)
    .option('--tag <tag>', 'its tags from now on; may be given several times', several)
    .option('--reason <text>', 'why; kept in its history')
    .option('--revision <n>', 'refuse when it has changed since', wholeNumber(0, 2_147_483_647))
    .action(async (id: string, options: Options, self: Command) => {
      const { out, client } = sessionOf(self);
      const { priority, runAt, tag, reason, revision, payload = options.payloadFile } = options;
      const changes = {
        ...(priority !== undefined && { priority }),
        ...(runAt !== undefined && { runAt }),
        ...(payload !== undefined && { payload }),
        ...(tag && { tags: tag }),
      };
      if (Object.keys(changes).length === 0) throw usageError('what shall change? See amend --help');
      const job = await client.amend(id, { ...changes, ...(reason !== undefined && { reason }) }, revision);
      await out.result(job, () => jobText(out, job));
    });
  return withExample(command, 'amend 019340a1-7f3e-7000-8c11-2a3b4c5d6e7f --priority 1 --tag urgent');
}
