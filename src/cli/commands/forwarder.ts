import { Command } from 'commander';
import type { Forwarder } from '../../adapters/http/contract/forwarder.ts';
import { withExample } from '../example.ts';
import { ageText, numberText } from '../format.ts';
import type { Output } from '../output.ts';
import { sessionOf } from '../session.ts';

export function forwarderCommands(): Command {
  const command = new Command('forwarder').description('The feed of public events to Kafka');
  command.addCommand(status());
  return withExample(command, 'forwarder status');
}

function status(): Command {
  const command = new Command('status')
    .description('How far the feed is, who forwards it, and what holds it up')
    .action(async (_options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found = await client.forwarder();
      await out.result(found, () => {
        const { outbox } = found;
        return outbox
          ? `${statusFields(out, found)}\n\nTable outbox\n${statusFields(out, outbox)}`
          : statusFields(out, found);
      });
    });
  return withExample(command, 'forwarder status');
}

const PAINTS = { live: 'green', catching_up: 'yellow', waiting: 'yellow', retrying: 'red' } as const;

function statusFields(out: Output, found: Omit<Forwarder, 'outbox'>): string {
  const { lagEvents, lagMs, lastError, undelivered } = found;
  const behind = `${numberText(lagEvents)}${lagEvents >= 1_000 ? '+' : ''} events`;
  return out.fields([
    ['status', out.paint(PAINTS[found.status], found.status)],
    ['leader', found.leader ?? 'no process forwards: is KAFKA_BROKERS set?'],
    ['position', `${found.position} of ${found.head}`],
    ['behind', lagEvents === 0 ? 'nothing' : `${behind}, the oldest for ${ageText(lagMs)}`],
    ['rate', `${numberText(Math.round(found.eventsPerSecond))}/s`],
    ['left out', undelivered === 0 ? 'nothing' : `${numberText(undelivered)}: see forwarder_dead_letters`],
    ['error', lastError ? `${lastError.message} (${numberText(lastError.attempts)} tries)` : undefined],
  ]);
}
