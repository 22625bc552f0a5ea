import { Command } from 'commander';
import type { Projection } from '../../adapters/http/contract/projections.ts';
import { CliError, usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { EXIT } from '../exit-codes.ts';
import { followRebuild } from '../follow-rebuild.ts';
import { ageText, numberText, shortText } from '../format.ts';
import type { Output } from '../output.ts';
import { sessionOf } from '../session.ts';
import { pastTime } from '../values.ts';
import { verifyAll } from '../verify-all.ts';

export function projectionCommands(): Command {
  const command = new Command('projections').description(
    'Read models: how current they are; rebuild and verify them',
  );
  for (const part of [status(), rebuild(), verify(), rollback()]) command.addCommand(part);
  return withExample(command, 'projections status');
}

function status(): Command {
  const command = new Command('status')
    .description('How current every read model is, and what is being rebuilt')
    .argument('[name]', 'only this one')
    .action(async (name: string | undefined, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found =
        name === undefined ? await client.projections.list() : [await client.projections.get(name)];
      await out.result(name === undefined ? found : found[0], () => statusTable(out, found));
    });
  return withExample(command, 'projections status');
}

const PAINTS = {
  live: 'green',
  catching_up: 'yellow',
  waiting: 'yellow',
  retrying: 'yellow',
  faulted: 'red',
} as const;

function statusTable(out: Output, projections: readonly Projection[]): string {
  const cells = projections.map((one) => [
    one.name,
    String(one.version),
    out.paint(PAINTS[one.status], one.status),
    one.position,
    `${numberText(one.lagEvents)}${one.lagEvents >= 1_000 ? '+' : ''}`,
    one.lagEvents === 0 ? '' : ageText(one.lagMs),
    `${numberText(Math.round(one.eventsPerSecond))}/s`,
    noteOf(one),
  ]);
  return out.table(['PROJECTION', 'VERSION', 'STATUS', 'POSITION', 'BEHIND', 'BY', 'RATE', 'NOTE'], cells);
}

function noteOf({ lastError, rebuild, building }: Projection): string {
  if (lastError) return shortText(lastError.message, 70);
  if (rebuild?.finishedAt === null) return `rebuilding: ${rebuild.phase}, ${Math.floor(rebuild.done * 100)}%`;
  return building ? `version ${building.version} is being built, at ${building.position}` : '';
}

interface RebuildOptions {
  readonly tenant?: string;
  readonly toPosition?: string;
  readonly toTime?: string;
  readonly dryRun?: boolean;
}

function rebuild(): Command {
  const command = new Command('rebuild')
    .description('Build a read model anew from the events, beside the live one, and swap')
    .argument('<name>', 'status shows them')
    .option('--tenant <id>', "only this tenant's rows")
    .option('--to-position <position>', 'only as far as there; kept beside the live tables to look at')
    .option('--to-time <time>', 'only as far as then: a time, or 2h ago', pastTime)
    .option('--dry-run', 'only say what would change')
    .action(async (name: string, { tenant, toPosition, toTime, dryRun }: RebuildOptions, self: Command) => {
      const session = sessionOf(self);
      if (toPosition !== undefined && toTime !== undefined) {
        throw usageError('give --to-position or --to-time, not both');
      }
      const started = await session.client.projections.rebuild(name, {
        ...(tenant !== undefined && { tenantId: tenant }),
        ...(toPosition !== undefined && { toPosition }),
        ...(toTime !== undefined && { toTime }),
        ...(dryRun !== undefined && { dryRun }),
      });
      const result = await followRebuild(session, name, started);
      await session.out.result({ name, ...result }, () => {
        if (result.error !== null) return `${name} was not rebuilt`;
        const differing =
          result.differences === null ? '' : `, ${numberText(result.differences)} rows differed`;
        return `${name} ${OUTCOMES[result.outcome ?? 'swapped']}${differing}`;
      });
      if (result.error !== null)
        throw new CliError(`${name}: ${result.error}`, EXIT.refused, 'rebuild_failed');
    });
  return withExample(command, 'projections rebuild jobs --dry-run');
}

const OUTCOMES = {
  swapped: 'shows the new tables',
  replaced: "has the tenant's rows anew",
  frozen: 'was built as of then, beside the live tables',
  dry_run: 'was only compared',
  repaired: 'was repaired',
} as const;

function verify(): Command {
  const command = new Command('verify')
    .description('Fold the events anew and compare every row with the live ones; changes nothing')
    .argument('[names...]', 'standard: all')
    .option('--tenant <id>', "only this tenant's rows")
    .action(async (names: string[], { tenant }: { tenant?: string }, self: Command) => {
      await verifyAll(sessionOf(self), names, tenant);
    });
  return withExample(command, 'projections verify');
}

function rollback(): Command {
  const command = new Command('rollback')
    .description('Show the tables that the last rebuild replaced, brought up to now')
    .argument('<name>', 'status shows them')
    .action(async (name: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const done = await client.projections.rollback(name);
      await out.result(done, () => `${name} shows the earlier tables, at ${done.position}`);
    });
  return withExample(command, 'projections rollback jobs');
}
