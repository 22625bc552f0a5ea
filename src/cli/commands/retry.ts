import { Command } from 'commander';
import { withExample } from '../example.ts';
import { statusText } from '../format.ts';
import { sessionOf } from '../session.ts';
import { json, jsonFile, time } from '../values.ts';

interface Options {
  readonly runAt?: string;
  readonly payload?: unknown;
  readonly payloadFile?: unknown;
  readonly resetAttempts?: boolean;
  readonly reason?: string;
}

export function retryCommand(): Command {
  const command = new Command('retry')
    .description('Run a job again that waits for its next attempt; dead letters: see dlq replay')
    .argument('<job>', 'its id')
    .option('--run-at <time>', 'not now but at a time, or 10m from now', time)
    .option('--payload <json>', 'with another payload', json)
    .option('--payload-file <file>', 'the same from a file; - is standard input', jsonFile)
    .option('--reset-attempts', 'as if none had been spent')
    .option('--reason <text>', 'why; kept in its history')
    .action(async (id: string, options: Options, self: Command) => {
      const { out, client } = sessionOf(self);
      const { runAt, resetAttempts, reason, payload = options.payloadFile } = options;
      const job = await client.retry(id, {
        ...(runAt !== undefined && { runAt }),
        ...(payload !== undefined && { payload }),
        ...(resetAttempts !== undefined && { resetAttempts }),
        ...(reason !== undefined && { reason }),
      });
      await out.result(job, () => `${job.id}  ${statusText(out, job.status)}`);
    });
  return withExample(command, `retry 019340a1-7f3e-7000-8c11-2a3b4c5d6e7f --reason 'mail server is back'`);
}
