import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import type { Republication, RepublishRequest } from '../../adapters/http/contract/republications.ts';
import { CliError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { numberText } from '../format.ts';
import { progressOf } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { pastTime } from '../values.ts';

interface Options {
  readonly from: string;
  readonly to?: string;
  readonly tenant?: string;
  readonly topicSuffix?: string;
  readonly dryRun?: boolean;
}

export function republishCommand(): Command {
  const command = new Command('republish')
    .description('Send public events to Kafka once more, with the ids they had')
    .requiredOption(
      '--from <point>',
      'after this position (0 is the beginning), or from a time on, or 2h ago',
    )
    .option('--to <point>', 'up to this position or time. Standard: now')
    .option('--tenant <id>', 'only events of this tenant')
    .option('--topic-suffix <text>', "to topics of their own, named so. Standard: the feed's topics")
    .option('--dry-run', 'only count them')
    .action(async ({ from, to, tenant, topicSuffix, dryRun }: Options, self: Command) => {
      const session = sessionOf(self);
      const order: RepublishRequest = {
        ...(isPosition(from) ? { afterPosition: from } : { fromTime: pastTime(from) }),
        ...(to !== undefined && (isPosition(to) ? { toPosition: to } : { toTime: pastTime(to) })),
        ...(tenant !== undefined && { tenantId: tenant }),
        ...(topicSuffix !== undefined && { topicSuffix }),
        ...(dryRun !== undefined && { dryRun }),
      };
      const ended = await follow(session, await session.client.republications.start(order));
      await session.out.result(ended, () => summaryOf(ended));
      if (ended.status !== 'done') {
        throw new CliError(ended.error ?? `it was ${ended.status}`, undefined, 'republication_failed');
      }
    });
  return withExample(
    command,
    'events republish --from 2026-11-20T00:00:00Z --tenant acme --topic-suffix .again',
  );
}

const POLL_MS = 200;

/** Ctrl-C stops the sending, too. */
async function follow({ client, out, signal }: Session, begun: Republication): Promise<Republication> {
  const progress = progressOf(out, begun.dryRun ? 'count' : 'republish');
  let current = begun;
  while (current.status === 'running') {
    const { done, found, eventsPerSecond, etaMs } = current;
    progress.update({
      done,
      phase: begun.dryRun ? 'counting' : 'sending',
      count: found,
      perSecond: eventsPerSecond,
      etaMs,
    });
    await pause(POLL_MS, undefined, { signal }).catch(() => {});
    current = signal.aborted
      ? await client.republications.abort(begun.id)
      : await client.republications.get(begun.id);
  }
  progress.end(`${numberText(current.found)} events`);
  return current;
}

function summaryOf({ dryRun, found, refused, status, topicSuffix, position }: Republication): string {
  if (dryRun) return `${numberText(found)} events would be sent`;
  const left = refused > 0 ? `, ${numberText(refused)} refused` : '';
  const where = topicSuffix === '' ? "the feed's topics" : `topics that end in ${topicSuffix}`;
  return `${status}: ${numberText(found - refused)} events sent to ${where}, up to position ${position}${left}`;
}

const isPosition = (text: string): boolean => /^\d{1,18}$/.test(text);
