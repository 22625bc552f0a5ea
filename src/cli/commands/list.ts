import { Command } from 'commander';
import type { JobStatus, ListJobsQuery } from '../../adapters/http/contract/jobs.ts';
import { withExample } from '../example.ts';
import { jobTable } from '../job-text.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { sessionOf } from '../session.ts';
import { pastTime } from '../values.ts';

type Options = PageOptions & {
  readonly status?: string;
  readonly type?: string;
  readonly queue?: string;
  readonly tag?: string;
  readonly worker?: string;
  readonly error?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
};

export function listCommand(): Command {
  const command = new Command('list')
    .description('List jobs, newest first')
    .option('--status <list>', 'queued,running,retrying,scheduled,completed,cancelled,dead_lettered,purged')
    .option('--type <type>')
    .option('--queue <name>')
    .option('--tag <tag>')
    .option('--worker <id>', 'worked on by')
    .option('--error <fingerprint>', 'whose last error has this fingerprint')
    .option('--created-after <time>', 'a time, or 2h ago', pastTime)
    .option('--created-before <time>', 'a time, or 2h ago', pastTime);
  withPageOptions(command).action(async (options: Options, self: Command) => {
    const { out, client } = sessionOf(self);
    const { status, type, queue, tag, worker, error, createdAfter, createdBefore } = options;
    const statuses = status?.split(',') as JobStatus[] | undefined;
    const filter = { status: statuses, type, queue, tag, worker, error, createdAfter, createdBefore };
    const read = (page: Partial<ListJobsQuery>) =>
      client.list({ ...(filter as Partial<ListJobsQuery>), ...page });
    await printPages(out, options, read, (jobs) => jobTable(out, jobs));
  });
  return withExample(command, 'list --status running,retrying --queue mail');
}
