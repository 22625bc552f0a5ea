import { Command, Option } from 'commander';
import type { Tenant } from '../../adapters/http/contract/tenants.ts';
import { withExample } from '../example.ts';
import { numberText, shortText } from '../format.ts';
import type { Output } from '../output.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { ofText, quotaText, suspendedText } from '../quota-text.ts';
import { sessionOf } from '../session.ts';
import { time } from '../values.ts';

export function tenantCommands(): Command {
  const command = new Command('tenants').description('Those whose jobs these are: look, pause, resume');
  for (const part of [list(), show(), pause(), resume()]) command.addCommand(part);
  return withExample(command, 'tenants list');
}

type ListOptions = PageOptions & { readonly plan?: string; readonly suspended?: boolean };

function list(): Command {
  const command = withPageOptions(
    new Command('list')
      .description('Tenants with what they are held to and what they use, by id')
      .option('--plan <name>', 'only those on this plan')
      .option('--suspended', 'only those that are suspended'),
  ).action(async ({ plan, suspended, ...page }: ListOptions, self: Command) => {
    const { out, client } = sessionOf(self);
    const filter = { ...(plan !== undefined && { plan }), ...(suspended !== undefined && { suspended }) };
    await printPages(
      out,
      page,
      (query) => client.tenants.list({ ...filter, ...query }),
      (tenants) => table(out, tenants),
    );
  });
  return withExample(command, 'tenants list --suspended');
}

const table = (out: Output, tenants: readonly Tenant[]): string =>
  out.table(
    ['TENANT', 'PLAN', 'TODAY', 'UNFINISHED', 'RUNNING', 'WEIGHT', 'SUSPENDED'],
    tenants.map(({ id, plan, limits, usage, weight, suspended }) => [
      id,
      plan ?? '',
      ofText(usage.jobsPerDay, limits.jobsPerDay),
      ofText(usage.unfinishedJobs, limits.unfinishedJobs),
      ofText(usage.runningJobs, limits.runningJobs),
      numberText(weight),
      suspended ? out.paint('red', shortText(suspendedText(suspended), 60)) : '',
    ]),
  );

function show(): Command {
  const command = new Command('show')
    .description('One tenant')
    .argument('<tenant>')
    .action(async (id: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const tenant = await client.tenants.get(id);
      await out.result(tenant, () => quotaText(out, { tenantId: tenant.id, ...tenant }));
    });
  return withExample(command, 'tenants show acme');
}

interface PauseOptions {
  readonly reason: string;
  readonly mode: 'claims' | 'all';
  readonly until?: string;
}

function pause(): Command {
  const command = new Command('pause')
    .description('Suspend a tenant; attempts that run may finish')
    .argument('<tenant>')
    .requiredOption('--reason <text>', 'why; shown to whoever is refused')
    .addOption(
      new Option('--mode <mode>', 'claims: start no jobs; all: take none, either')
        .choices(['claims', 'all'])
        .default('claims'),
    )
    .option('--until <time>', 'over by itself at a time, or 30m from now', time)
    .action(async (id: string, { reason, mode, until }: PauseOptions, self: Command) => {
      const { out, client } = sessionOf(self);
      const end = until === undefined ? {} : { until: new Date(until) };
      const quota = await client.tenants.pause(id, { reason, mode, ...end });
      await out.result(quota, () => `${id} ${quota.suspended ? suspendedText(quota.suspended) : 'goes on'}`);
    });
  return withExample(command, `tenants pause acme --mode all --reason 'invoice 2026-11 is unpaid'`);
}

function resume(): Command {
  const command = new Command('resume')
    .description('Let a tenant go on')
    .argument('<tenant>')
    .option('--reason <text>', 'why; kept in the ledger')
    .action(async (id: string, { reason }: { reason?: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      const quota = await client.tenants.resume(id, reason);
      await out.result(quota, () => `${id} goes on`);
    });
  return withExample(command, 'tenants resume acme');
}
