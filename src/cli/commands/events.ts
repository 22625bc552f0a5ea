import { Command } from 'commander';
import type { CloudEvent } from '../../adapters/http/contract/events.ts';
import { withExample } from '../example.ts';
import { exportEvents } from '../export-events.ts';
import { shortText } from '../format.ts';
import type { Output } from '../output.ts';
import { sessionOf } from '../session.ts';
import { several } from '../values.ts';
import { republishCommand } from './republish.ts';

export interface EventFilter {
  readonly after?: string;
  readonly type?: string[];
  readonly queue?: string;
  readonly job?: string;
}

const withFilter = (command: Command): Command =>
  command
    .option('--type <type>', 'eventzr.jobs.completed.v1; may be given several times', several)
    .option('--queue <name>', 'only jobs of this queue')
    .option('--job <id>', 'only this job');

/** As the API calls them. */
export const filterOf = ({ after, type, queue, job }: EventFilter) => ({
  ...(after !== undefined && { after }),
  ...(type && { types: type }),
  ...(queue !== undefined && { queue }),
  ...(job !== undefined && { jobId: job }),
});

export function eventCommands(): Command {
  const command = new Command('events').description('Everything that happened, as CloudEvents');
  for (const part of [tail(), exporting(), republishCommand()]) command.addCommand(part);
  return withExample(command, 'events tail');
}

function tail(): Command {
  const command = withFilter(
    new Command('tail')
      .description('Show events as they happen, until Ctrl-C')
      .option('--after <position>', 'begin after this position; 0 is the beginning. Standard: now'),
  );
  command.action(async (options: EventFilter, self: Command) => {
    const { out, client, signal } = sessionOf(self);
    for await (const { position, event } of client.events({ ...filterOf(options), signal })) {
      await out.item({ position, event }, () => eventLine(out, event));
    }
  });
  return withExample(
    command,
    'events tail --type eventzr.jobs.failed.v1 --type eventzr.jobs.deadlettered.v1',
  );
}

function eventLine(out: Output, { time, type, data }: CloudEvent): string {
  const error = data.error as { type?: string; message?: string } | null | undefined;
  const what = error ? `${error.type}: ${error.message}` : '';
  const attempt = data.attempt === undefined ? '' : ` #${data.attempt}`;
  const name = type.replace(/^eventzr\.jobs\./, '').replace(/\.v\d+$/, '');
  const head = [time, out.paint('bold', name.padEnd(12))];
  if (data.jobId === undefined) return [...head, aboutTenant(data)].join('  ');
  const fields = [...head, data.jobId, `${data.type}${attempt}`, data.queue];
  return [...fields, shortText(what, 80)].join('  ').trimEnd();
}

/** `acme jobsPerDay 1000` */
const aboutTenant = ({ tenantId, limit, value, by }: CloudEvent['data']): string =>
  [tenantId, limit, value, by].filter((part) => part !== undefined).join(' ');

function exporting(): Command {
  const command = withFilter(
    new Command('export')
      .description('Write all events so far, oldest first, one JSON document to a line')
      .option('--after <position>', 'begin after this position')
      .option('--output <file>', 'write there; standard: standard output'),
  );
  command.action(async (options: EventFilter & { output?: string }, self: Command) => {
    await exportEvents(sessionOf(self), filterOf(options), options.output);
  });
  return withExample(command, 'events export --output events.ndjson');
}
