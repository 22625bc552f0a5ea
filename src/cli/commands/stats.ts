import { Command, Option } from 'commander';
import type { JobStatus } from '../../adapters/http/contract/jobs.ts';
import type { Timeseries } from '../../adapters/http/contract/stats.ts';
import { withExample } from '../example.ts';
import { ageText, numberText, statusText } from '../format.ts';
import type { Output } from '../output.ts';
import { sessionOf } from '../session.ts';
import { pastTime } from '../values.ts';

interface Options {
  readonly by?: '1m' | '1h';
  readonly from?: string;
  readonly to?: string;
  readonly queue?: string;
}

export function statsCommand(): Command {
  const command = new Command('stats')
    .description('Jobs by status, or what happened over time')
    .addOption(new Option('--by <bucket>', 'minute by minute or hour by hour').choices(['1m', '1h']))
    .option('--from <time>', 'with --by: a time, or 2h ago', pastTime)
    .option('--to <time>', 'with --by: a time, or 2h ago', pastTime)
    .option('--queue <name>', 'with --by: only this queue')
    .action(async ({ by, from, to, queue }: Options, self: Command) => {
      const { out, client } = sessionOf(self);
      if (by !== undefined) {
        const query = { from, to, queue };
        const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
        const series = await client.timeseries({ bucket: by, ...given });
        return out.result(series, () => seriesTable(out, series));
      }
      const { counts, queues, pausedQueues, oldestReadyAgeMs, ...rest } = await client.stats();
      await out.result({ counts, queues, pausedQueues, oldestReadyAgeMs, ...rest }, () =>
        out.fields([
          ...Object.entries(counts).map(
            ([status, count]) => [status, painted(out, status as JobStatus, count ?? 0)] as const,
          ),
          ['queues', `${numberText(queues)}${pausedQueues > 0 ? `, ${pausedQueues} paused` : ''}`],
          ['oldest', oldestReadyAgeMs === null ? 'nothing waits' : `waits for ${ageText(oldestReadyAgeMs)}`],
        ]),
      );
    });
  return withExample(command, 'stats --by 1m --from 15m');
}

const painted = (out: Output, status: JobStatus, count: number): string =>
  count === 0 ? '0' : statusText(out, status).replace(status, numberText(count));

function seriesTable(out: Output, { data }: Timeseries): string {
  const cells = data.map((bucket) => [
    bucket.at,
    ...[
      bucket.enqueued,
      bucket.started,
      bucket.completed,
      bucket.failed,
      bucket.deadLettered,
      bucket.cancelled,
    ].map(numberText),
  ]);
  return out.table(['FROM', 'ENQUEUED', 'STARTED', 'COMPLETED', 'FAILED', 'DEAD', 'CANCELLED'], cells);
}
