import { Command } from 'commander';
import type { Queue } from '../../adapters/http/contract/queues.ts';
import { withExample } from '../example.ts';
import { ageText, numberText, plainText, shortText } from '../format.ts';
import type { Output } from '../output.ts';
import { sessionOf } from '../session.ts';
import { time, wholeNumber } from '../values.ts';

export function queueCommands(): Command {
  const command = new Command('queues').description('Lanes that jobs wait in: look, pause, resume, limit');
  for (const part of [list(), pause(), resume(), limit()]) command.addCommand(part);
  return withExample(command, 'queues list');
}

function list(): Command {
  const command = new Command('list')
    .description('Queues with what waits and runs in them')
    .action(async (_options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const queues = await client.queues.list();
      await out.result(queues, () => (queues.length > 0 ? queueTable(out, queues) : 'no queues yet'));
    });
  return withExample(command, 'queues list --json');
}

function queueTable(out: Output, queues: readonly Queue[]): string {
  const cells = queues.map(({ name, counts, paused, concurrencyLimit, oldestReadyAgeMs }) => [
    name,
    numberText((counts.queued ?? 0) + (counts.retrying ?? 0) + (counts.scheduled ?? 0)),
    numberText(counts.running ?? 0),
    numberText(counts.dead_lettered ?? 0),
    numberText(counts.completed ?? 0),
    oldestReadyAgeMs === null ? '' : ageText(oldestReadyAgeMs),
    concurrencyLimit === null ? '' : numberText(concurrencyLimit),
    paused ? out.paint('yellow', shortText(plainText(pausedText(paused)), 60)) : '',
  ]);
  return out.table(['QUEUE', 'WAITING', 'RUNNING', 'DEAD', 'COMPLETED', 'OLDEST', 'LIMIT', 'PAUSED'], cells);
}

const pausedText = ({ reason, until, by }: NonNullable<Queue['paused']>): string =>
  [reason, until && `until ${until}`, `by ${by}`].filter(Boolean).join(', ');

function pause(): Command {
  const command = new Command('pause')
    .description('Hand out no more jobs of a queue; running ones go on')
    .argument('<queue>')
    .option('--reason <text>', 'why; shown to others')
    .option('--until <time>', 'resume by itself at a time, or 30m from now', time)
    .action(async (name: string, { reason, until }: { reason?: string; until?: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      await client.queues.pause(name, {
        ...(reason !== undefined && { reason }),
        ...(until !== undefined && { until: new Date(until) }),
      });
      await out.result({ queue: name, paused: true }, () => `${name} is paused`);
    });
  return withExample(command, `queues pause mail --reason 'mail server maintenance' --until 30m`);
}

function resume(): Command {
  const command = new Command('resume')
    .description('Hand out jobs of a queue again')
    .argument('<queue>')
    .option('--reason <text>', 'why; kept in its history')
    .action(async (name: string, { reason }: { reason?: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      await client.queues.resume(name, reason);
      await out.result({ queue: name, paused: false }, () => `${name} hands out jobs`);
    });
  return withExample(command, 'queues resume mail');
}

function limit(): Command {
  const upTo = wholeNumber(0, 1_000_000);
  const command = new Command('limit')
    .description('Limit how many jobs of a queue run at once')
    .argument('<queue>')
    .argument('<n>', 'a number, or none', (text) => (text === 'none' ? null : upTo(text)))
    .option('--reason <text>', 'why; kept in its history')
    .action(async (name: string, most: number | null, { reason }: { reason?: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      await client.queues.limit(name, most, reason);
      const text = most === null ? 'has no limit' : `runs at most ${numberText(most)} at once`;
      await out.result({ queue: name, concurrencyLimit: most }, () => `${name} ${text}`);
    });
  return withExample(command, `queues limit mail 10 --reason 'the mail server is slow'`);
}
