import { Argument, Command } from 'commander';
import type { JobStatus } from '../../adapters/http/contract/jobs.ts';
import type { Operation, StartOperationRequest } from '../../adapters/http/contract/operations.ts';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { numberText, plainText, shortText, sinceText } from '../format.ts';
import type { Output } from '../output.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { operationText, runOperation } from '../run-operation.ts';
import { sessionOf } from '../session.ts';
import { pastTime } from '../values.ts';

export function operationCommands(): Command {
  const command = new Command('operations').description('One action on many jobs');
  for (const part of [start(), list(), show(), abort()]) command.addCommand(part);
  return withExample(command, 'operations start cancel --queue mail --dry-run');
}

type Filter = NonNullable<StartOperationRequest['filter']>;
type StartOptions = Omit<Filter, 'status'> & {
  readonly status?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
};

function start(): Command {
  const command = new Command('start')
    .description('Cancel, retry, replay or purge all jobs that match; later ones are left alone')
    .addArgument(new Argument('<action>').choices(['cancel', 'retry', 'replay', 'purge']))
    .option('--status <list>', 'queued,running,retrying,scheduled')
    .option('--type <type>')
    .option('--queue <name>')
    .option('--tag <tag>')
    .option('--fingerprint <text>', 'of the last error')
    .option('--created-after <time>', 'a time, or 2h ago', pastTime)
    .option('--created-before <time>', 'a time, or 2h ago', pastTime)
    .option('--reason <text>', 'why; purge wants one')
    .option('--dry-run', 'only say how many match')
    .action(async (action: StartOperationRequest['action'], options: StartOptions, self: Command) => {
      const { reason, dryRun = false } = options;
      const filter = filterOf(options);
      if (Object.keys(filter).length === 0) throw usageError('which jobs? Give at least one condition');
      const order = { action, filter, ...(reason !== undefined && { reason }) };
      await runOperation(sessionOf(self), order, dryRun);
    });
  return withExample(command, `operations start cancel --queue mail --created-before 2h --reason 'too late'`);
}

function filterOf(options: StartOptions): Filter {
  const { status, type, queue, tag, fingerprint, createdAfter, createdBefore } = options;
  const statuses = status?.split(',') as JobStatus[] | undefined;
  const all = { status: statuses, type, queue, tag, fingerprint, createdAfter, createdBefore };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function list(): Command {
  const command = new Command('list').description('Operations, newest first');
  withPageOptions(command).action(async (options: PageOptions, self: Command) => {
    const { out, client } = sessionOf(self);
    await printPages(
      out,
      options,
      (page) => client.operations.list(page),
      (rows) => operationTable(out, rows),
    );
  });
  return withExample(command, 'operations list');
}

function operationTable(out: Output, rows: readonly Operation[]): string {
  const cells = rows.map((row) => [
    row.id,
    row.action,
    row.status,
    numberText(row.changed),
    numberText(row.seen),
    numberText(row.refused),
    sinceText(row.startedAt),
    shortText(plainText(row.by), 40),
  ]);
  return out.table(['OPERATION', 'ACTION', 'STATUS', 'CHANGED', 'SEEN', 'REFUSED', 'STARTED', 'BY'], cells);
}

function show(): Command {
  const command = new Command('show')
    .description('How far an operation is')
    .argument('<operation>', 'its id')
    .action(async (id: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found = await client.operations.get(id);
      await out.result(found, () => operationText(found));
    });
  return withExample(command, 'operations show 0193f3a1-7f3e-7000-8c11-2a3b4c5d6e7f');
}

function abort(): Command {
  const command = new Command('abort')
    .description('Stop an operation; what it has changed stays changed')
    .argument('<operation>', 'its id')
    .action(async (id: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found = await client.operations.abort(id);
      await out.result(found, () => operationText(found));
    });
  return withExample(command, 'operations abort 0193f3a1-7f3e-7000-8c11-2a3b4c5d6e7f');
}
