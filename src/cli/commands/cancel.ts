import { Command } from 'commander';
import { withExample } from '../example.ts';
import { statusText } from '../format.ts';
import { sessionOf } from '../session.ts';
import { duration } from '../values.ts';

export function cancelCommand(): Command {
  const command = new Command('cancel')
    .description('Cancel a job; the worker of a running one is asked to stop')
    .argument('<job>', 'its id')
    .option('--reason <text>', 'why; kept in its history')
    .option('--grace <time>', 'how long a running attempt has to stop by itself: 30s', duration)
    .action(async (id: string, { reason, grace }: { reason?: string; grace?: number }, self: Command) => {
      const { out, client } = sessionOf(self);
      const job = await client.cancel(id, {
        ...(reason !== undefined && { reason }),
        ...(grace !== undefined && { graceMs: grace }),
      });
      const forced = job.cancelRequest
        ? `; the worker was asked to stop, forced at ${job.cancelRequest.forceAt}`
        : '';
      await out.result(job, () => `${job.id}  ${statusText(out, job.status)}${forced}`);
    });
  return withExample(command, `cancel 019340a1-7f3e-7000-8c11-2a3b4c5d6e7f --reason 'order withdrawn'`);
}
