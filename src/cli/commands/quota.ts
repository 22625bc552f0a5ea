import { Command } from 'commander';
import type { QuotaHistoryEntry } from '../../adapters/http/contract/quotas.ts';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { plainText } from '../format.ts';
import { changedTerms, hasLimits, type LimitOptions, withLimitOptions } from '../limit-options.ts';
import type { Output } from '../output.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { changeText, quotaText } from '../quota-text.ts';
import { sessionOf } from '../session.ts';
import { pastTime } from '../values.ts';
import { whyCommand } from './quota-why.ts';

export function quotaCommands(): Command {
  const command = new Command('quota').description(
    'What a tenant is held to, what it uses, and why it was refused',
  );
  for (const part of [get(), set(), clear(), reset(), history(), whyCommand()]) command.addCommand(part);
  return withExample(command, 'quota why acme --at 14:03');
}

function get(): Command {
  const command = new Command('get')
    .description('Limits and usage, now or at a time')
    .argument('[tenant]', 'standard: the tenant of the key')
    .option('--at <time>', 'as it was then: a time, or 2h ago', pastTime)
    .action(async (tenant: string | undefined, { at }: { at?: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      if (tenant === undefined && at !== undefined) throw usageError('with --at, name the tenant');
      const quota = await (tenant === undefined
        ? client.quota()
        : client.tenants.quota(tenant, at === undefined ? undefined : new Date(at)));
      await out.result(quota, () => quotaText(out, quota));
    });
  return withExample(command, 'quota get acme');
}

type SetOptions = LimitOptions & { readonly plan?: string; readonly reason?: string };

function set(): Command {
  const command = withLimitOptions(
    new Command('set')
      .description('Put a tenant on a plan, or change limits of its own; what is not named stays')
      .argument('<tenant>')
      .option('--plan <name>', 'hold it to this plan'),
  )
    .option('--reason <text>', 'why; kept in the ledger')
    .action(async (tenant: string, { plan, reason, ...limits }: SetOptions, self: Command) => {
      const { out, client } = sessionOf(self);
      if ((plan === undefined) === !hasLimits(limits)) throw usageError('give either --plan or limits');
      const why = reason === undefined ? {} : { reason };
      if (plan !== undefined) {
        const quota = await client.tenants.setQuota(tenant, { plan, ...why });
        return out.result(quota, () => quotaText(out, quota));
      }
      const before = await client.tenants.quota(tenant);
      const terms = changedTerms(limits, before);
      const quota = await client.tenants.setQuota(tenant, { ...terms, ...why });
      await out.result(quota, () => quotaText(out, quota));
    });
  return withExample(command, 'quota set acme --jobs-per-day 10000 --running-jobs 20 --weight 2');
}

function clear(): Command {
  const command = new Command('clear')
    .description('Hold a tenant to what new tenants are held to')
    .argument('<tenant>')
    .option('--reason <text>', 'why; kept in the ledger')
    .action(async (tenant: string, options: { reason?: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      const quota = await client.tenants.clearQuota(tenant, options);
      await out.result(quota, () => quotaText(out, quota));
    });
  return withExample(command, 'quota clear acme');
}

function reset(): Command {
  const command = new Command('reset')
    .description('Give a tenant its day back: nothing is used of jobsPerDay')
    .argument('<tenant>')
    .requiredOption('--reason <text>', 'why; kept in the ledger')
    .action(async (tenant: string, { reason }: { reason: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      const quota = await client.tenants.resetQuota(tenant, reason);
      await out.result(quota, () => quotaText(out, quota));
    });
  return withExample(command, `quota reset acme --reason 'their import ran twice through our fault'`);
}

type HistoryOptions = PageOptions & { readonly from?: string; readonly to?: string };

function history(): Command {
  const command = withPageOptions(
    new Command('history')
      .description(
        "A tenant's ledger, newest first: limits, usage by the minute, refusals, resets, suspensions",
      )
      .argument('<tenant>')
      .option('--from <time>', 'a time, or 2h ago', pastTime)
      .option('--to <time>', 'a time, or 2h ago', pastTime),
  ).action(async (tenant: string, { from, to, ...page }: HistoryOptions, self: Command) => {
    const { out, client } = sessionOf(self);
    const range = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
    await printPages(
      out,
      page,
      (query) => client.tenants.history(tenant, { ...range, ...query }),
      (entries) => historyTable(out, entries),
    );
  });
  return withExample(command, 'quota history acme --from 2h');
}

const historyTable = (out: Output, entries: readonly QuotaHistoryEntry[]): string =>
  out.table(
    ['AT', 'WHAT', 'BY', '', 'TODAY', 'UNFINISHED'],
    entries.map((entry) => [
      entry.at,
      entry.change.kind,
      plainText(entry.actor),
      changeText(entry),
      String(entry.after.usage.jobsPerDay),
      String(entry.after.usage.unfinishedJobs),
    ]),
  );
