import { Command, Option } from 'commander';
import type { ConsumerGroup, InboxDeadLetter } from '../../adapters/http/contract/inbound.ts';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { numberText, plainText, shortText, sinceText } from '../format.ts';
import type { Output } from '../output.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { replayLetters } from '../replay-letters.ts';
import { sessionOf } from '../session.ts';
import { json, jsonFile } from '../values.ts';

const ID = '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f';

export function inboxCommands(): Command {
  const command = new Command('inbox').description('Events of other services, and those that went wrong');
  command.addCommand(deadLetters());
  return withExample(command, 'inbox dlq list');
}

function deadLetters(): Command {
  const command = new Command('dlq').description('Messages that nothing could be made of');
  for (const part of [listing(), show(), edit(), replay()]) command.addCommand(part);
  return withExample(command, 'inbox dlq list');
}

interface LetterFilter {
  readonly topic?: string;
  readonly kind?: 'invalid' | 'failed';
  readonly error?: string;
  readonly tenant?: string;
}

const withFilter = (command: Command): Command =>
  command
    .option('--topic <name>', 'only of this topic')
    .addOption(new Option('--kind <kind>', 'only of this kind').choices(['invalid', 'failed']))
    .option('--error <text>', 'only those with this in their error');

const filterOf = ({ topic, kind, error, tenant }: LetterFilter) => ({
  ...(topic !== undefined && { topic }),
  ...(kind !== undefined && { reason: kind }),
  ...(error !== undefined && { error }),
  ...(tenant !== undefined && { tenantId: tenant }),
});

type ListOptions = PageOptions & LetterFilter & { readonly status?: 'waiting' | 'replayed' };

function listing(): Command {
  const command = withFilter(new Command('list').description('List them, newest first')).option(
    '--status <status>',
    'only those that are waiting, or replayed',
  );
  withPageOptions(command).action(async (options: ListOptions, self: Command) => {
    const { out, client } = sessionOf(self);
    const { status } = options;
    const filter = { ...filterOf(options), ...(status !== undefined && { status }) };
    await printPages(
      out,
      options,
      (page) => client.inbound.deadLetters.list({ ...filter, ...page }),
      (rows) => letterTable(out, rows),
    );
  });
  return withExample(command, 'inbox dlq list --topic orders --status waiting');
}

function letterTable(out: Output, rows: readonly InboxDeadLetter[]): string {
  const cells = rows.map((row) => [
    row.id,
    `${row.topic} ${row.partition}:${row.offset}`,
    row.reason,
    String(row.attempts),
    sinceText(row.failedAt),
    row.status === 'waiting' ? out.paint('yellow', row.status) : row.status,
    shortText(plainText(row.error), 70),
  ]);
  return out.table(['ID', 'MESSAGE', 'REASON', 'ATTEMPTS', 'SINCE', 'STATUS', 'ERROR'], cells);
}

function show(): Command {
  const command = new Command('show')
    .description('One message, what is wrong with it, and where it came from')
    .argument('<id>')
    .action(async (id: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found = await client.inbound.deadLetters.get(id);
      await out.result(found, () => letterText(out, found));
    });
  return withExample(command, `inbox dlq show ${ID}`);
}

function letterText(out: Output, letter: InboxDeadLetter): string {
  return out.fields([
    ['id', letter.id],
    ['message', `${letter.topic}, partition ${letter.partition}, offset ${letter.offset}`],
    ['group', letter.groupId],
    ['tenant', letter.tenantId ?? undefined],
    ['key', letter.key === null ? undefined : plainText(letter.key)],
    ['sent', letter.sentAt],
    ['failed', `${letter.failedAt}, ${letter.attempts} attempts`],
    ['reason', letter.reason],
    ['error', plainText(letter.error)],
    [
      'faults',
      letter.faults?.map(({ path, message }) => plainText(`${path || 'the message'}: ${message}`)).join('\n'),
    ],
    ['edited', letter.editedAt === null ? undefined : `${letter.editedAt} by ${letter.editedBy}`],
    [
      'status',
      letter.replayedAt === null ? letter.status : `replayed ${letter.replayedAt} by ${letter.replayedBy}`,
    ],
    [
      'headers',
      Object.keys(letter.headers).length > 0 ? plainText(JSON.stringify(letter.headers)) : undefined,
    ],
    ['payload', plainText(letter.payload)],
  ]);
}

interface PayloadOptions {
  readonly payload?: unknown;
  readonly payloadFile?: unknown;
}

const withPayload = (command: Command): Command =>
  command
    .option('--payload <json>', 'the message as it should have been', json)
    .option('--payload-file <file>', 'the same from a file; - is standard input', jsonFile);

function edit(): Command {
  const command = withPayload(
    new Command('edit').description('Correct a message; replay carries it out').argument('<id>'),
  );
  command.action(async (id: string, options: PayloadOptions, self: Command) => {
    const { out, client } = sessionOf(self);
    const { payload = options.payloadFile } = options;
    if (payload === undefined) throw usageError('give --payload or --payload-file');
    const edited = await client.inbound.deadLetters.edit(id, payload);
    await out.result(edited, () => `${edited.id}  edited`);
  });
  return withExample(command, `inbox dlq edit ${ID} --payload-file corrected.json`);
}

type ReplayOptions = PayloadOptions & LetterFilter & { readonly reason?: string };

function replay(): Command {
  const command = withPayload(
    withFilter(
      new Command('replay')
        .description('Carry a message out now, edited or not; or all that match. It has its effect once')
        .argument('[id]', 'its id; or else --topic, --kind, --error, or --tenant'),
    )
      .option('--tenant <id>', "only this tenant's")
      .option('--reason <text>', 'why, for many; kept in the audit'),
  );
  command.action(async (id: string | undefined, options: ReplayOptions, self: Command) => {
    const session = sessionOf(self);
    const { payload = options.payloadFile, reason } = options;
    const filter = filterOf(options);
    const many = Object.keys(filter).length > 0;
    if (many === (id !== undefined)) {
      throw usageError('give the id of a message; or else --topic, --kind, --error, or --tenant');
    }
    if (id === undefined) {
      if (payload !== undefined) throw usageError('--payload is for one message');
      return replayLetters(session, { filter, ...(reason !== undefined && { reason }) });
    }
    if (reason !== undefined) throw usageError('--reason is for many messages');
    const received = await session.client.inbound.deadLetters.replay(id, payload);
    const { accepted, duplicates, ignored } = received;
    await session.out.result(
      received,
      () => `${accepted} accepted, ${duplicates} duplicates, ${ignored} ignored`,
    );
  });
  return withExample(command, `inbox dlq replay --error tenant_suspended --reason 'the invoice was paid'`);
}

const STATES = { ok: 'green', warning: 'yellow', critical: 'red' } as const;

export function consumersCommand(): Command {
  const command = new Command('consumers')
    .description('Consumer groups of the inbox and how far they are behind')
    .option('--partitions', 'every partition')
    .action(async ({ partitions = false }: { readonly partitions?: boolean }, self: Command) => {
      const { out, client } = sessionOf(self);
      const groups = await client.inbound.consumers();
      await out.result(groups, () => {
        if (groups.length === 0) return 'no consumer groups: no Kafka, or no subscription fits a topic';
        return partitions ? partitionTable(out, groups) : groupTable(out, groups);
      });
    });
  return withExample(command, 'consumers');
}

function groupTable(out: Output, groups: readonly ConsumerGroup[]): string {
  const cells = groups.map(({ groupId, topics, status, members, lag, state }) => [
    groupId,
    topics.join(' '),
    status,
    String(members),
    numberText(lag),
    out.paint(STATES[state], state),
  ]);
  return out.table(['GROUP', 'TOPICS', 'STATUS', 'MEMBERS', 'LAG', 'STATE'], cells);
}

function partitionTable(out: Output, groups: readonly ConsumerGroup[]): string {
  const cells = groups.flatMap(({ groupId, partitions }) =>
    partitions.map(({ topic, partition, offset, end, lag }) => [
      groupId,
      topic,
      String(partition),
      offset,
      end,
      numberText(lag),
    ]),
  );
  return out.table(['GROUP', 'TOPIC', 'PARTITION', 'OFFSET', 'END', 'LAG'], cells);
}
