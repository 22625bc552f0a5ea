import { Command } from 'commander';
import type {
  DeadLetter,
  DeadLetterGroup,
  ListDeadLettersQuery,
} from '../../adapters/http/contract/dead-letters.ts';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { numberText, shortText, sinceText, statusText } from '../format.ts';
import { jobText } from '../job-text.ts';
import type { Output } from '../output.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { runOperation } from '../run-operation.ts';
import { sessionOf } from '../session.ts';
import { json, jsonFile, time } from '../values.ts';
import { attemptTable } from './get.ts';

interface Selection {
  readonly type?: string;
  readonly queue?: string;
  readonly fingerprint?: string;
}

const withFilter = (command: Command): Command =>
  command
    .option('--type <type>', 'only jobs of this type')
    .option('--queue <name>', 'only jobs of this queue')
    .option('--fingerprint <text>', 'only this kind of error; groups shows them');

const filterOf = ({ type, queue, fingerprint }: Selection): Partial<ListDeadLettersQuery> => ({
  ...(type !== undefined && { type }),
  ...(queue !== undefined && { queue }),
  ...(fingerprint !== undefined && { fingerprint }),
});

export function deadLetterCommands(): Command {
  const command = new Command('dlq').description('Jobs that gave up and wait for a person');
  for (const part of [listing(), groups(), show(), replay(), purge()]) command.addCommand(part);
  return withExample(command, 'dlq groups');
}

function listing(): Command {
  const command = withFilter(new Command('list').description('List dead letters, newest first'));
  withPageOptions(command).action(async (options: PageOptions & Selection, self: Command) => {
    const { out, client } = sessionOf(self);
    await printPages(
      out,
      options,
      (page) => client.deadLetters.list({ ...filterOf(options), ...page }),
      (rows) => deadLetterTable(out, rows),
    );
  });
  return withExample(command, 'dlq list --type email.send');
}

function deadLetterTable(out: Output, rows: readonly DeadLetter[]): string {
  const cells = rows.map((row) => [
    row.jobId,
    row.type,
    row.queue,
    String(row.attempts),
    sinceText(row.deadLetteredAt),
    row.reason,
    row.error.fingerprint,
    shortText(`${row.error.type}: ${row.error.message}`, 60),
  ]);
  return out.table(['JOB', 'TYPE', 'QUEUE', 'ATTEMPTS', 'SINCE', 'REASON', 'FINGERPRINT', 'ERROR'], cells);
}

function groups(): Command {
  const command = withFilter(
    new Command('groups').description('Dead letters by kind of error, most frequent first'),
  );
  command.action(async (options: Selection, self: Command) => {
    const { out, client } = sessionOf(self);
    const found = await client.deadLetters.groups(filterOf(options));
    await out.result(found, () => (found.length > 0 ? groupTable(out, found) : 'no dead letters'));
  });
  return withExample(command, 'dlq groups --queue mail');
}

function groupTable(out: Output, found: readonly DeadLetterGroup[]): string {
  const cells = found.map((group) => [
    numberText(group.count),
    group.jobType,
    group.fingerprint,
    sinceText(group.firstAt),
    sinceText(group.lastAt),
    shortText(`${group.errorType}: ${group.message}`, 70),
  ]);
  return out.table(['COUNT', 'TYPE', 'FINGERPRINT', 'FIRST', 'LAST', 'ERROR'], cells);
}

function show(): Command {
  const command = new Command('show')
    .description('One dead letter: the job, its error, who tried')
    .argument('<job>', 'its id')
    .action(async (id: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found = await client.deadLetters.get(id);
      await out.result(found, () => `${jobText(out, found.job)}\n\n${attemptTable(out, found.attempts)}`);
    });
  return withExample(command, 'dlq show 019340a1-7f3e-7000-8c11-2a3b4c5d6e7f');
}

type ReplayOptions = Selection & {
  readonly payload?: unknown;
  readonly payloadFile?: unknown;
  readonly toQueue?: string;
  readonly runAt?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
};

function replay(): Command {
  const command = withFilter(
    new Command('replay')
      .description('Run a dead letter again, its payload edited or not; or all that match')
      .argument('[job]', 'its id; or else --type, --queue or --fingerprint')
      .option('--payload <json>', 'with another payload', json)
      .option('--payload-file <file>', 'the same from a file; - is standard input', jsonFile)
      .option('--to-queue <name>', 'in another queue')
      .option('--run-at <time>', 'not now but at a time, or 10m from now', time)
      .option('--reason <text>', 'why; kept in its history')
      .option('--dry-run', 'only say how many match'),
  );
  command.action(async (id: string | undefined, options: ReplayOptions, self: Command) => {
    const session = sessionOf(self);
    const { toQueue, runAt, reason, dryRun = false, payload = options.payloadFile } = options;
    const why = reason === undefined ? {} : { reason };
    const change = {
      ...why,
      ...(payload !== undefined && { payload }),
      ...(toQueue !== undefined && { queue: toQueue }),
      ...(runAt !== undefined && { runAt }),
    };
    if (isMany(id, options)) {
      if (Object.keys(change).length > Object.keys(why).length) {
        throw usageError('--payload, --to-queue and --run-at are for one job');
      }
      return runOperation(session, { action: 'replay', filter: filterOf(options), ...why }, dryRun);
    }
    const job = await session.client.deadLetters.replay(id, change);
    await session.out.result(job, () => `${job.id}  ${statusText(session.out, job.status)}`);
  });
  return withExample(command, `dlq replay --fingerprint 5f1d0c2a --reason 'mail server is back'`);
}

type PurgeOptions = Selection & { readonly reason: string; readonly dryRun?: boolean };

function purge(): Command {
  const command = withFilter(
    new Command('purge')
      .description('Give a dead letter up for ever; or all that match')
      .argument('[job]', 'its id; or else --type, --queue or --fingerprint')
      .requiredOption('--reason <text>', 'why; kept in its history')
      .option('--dry-run', 'only say how many match'),
  );
  command.action(async (id: string | undefined, options: PurgeOptions, self: Command) => {
    const session = sessionOf(self);
    const { reason, dryRun = false } = options;
    if (isMany(id, options)) {
      return runOperation(session, { action: 'purge', filter: filterOf(options), reason }, dryRun);
    }
    await session.client.deadLetters.purge(id, reason);
    await session.out.result({ id, purged: true }, () => `${id}  purged`);
  });
  return withExample(command, `dlq purge 019340a1-7f3e-7000-8c11-2a3b4c5d6e7f --reason 'test data'`);
}

/** Whether the command is about all that match; one of the two must be given. */
function isMany(id: string | undefined, options: Selection & { readonly dryRun?: boolean }): id is undefined {
  const many = Object.keys(filterOf(options)).length > 0;
  if (many === (id !== undefined)) {
    throw usageError('give the id of a job; or else --type, --queue or --fingerprint');
  }
  if (!many && options.dryRun) throw usageError('--dry-run is for all that match');
  return many;
}
