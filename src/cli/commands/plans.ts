import { Command } from 'commander';
import type { Plan } from '../../adapters/http/contract/plans.ts';
import { JobsApiError } from '../../sdk/errors.ts';
import { withExample } from '../example.ts';
import { numberText, plainText } from '../format.ts';
import { changedTerms, type LimitOptions, withLimitOptions } from '../limit-options.ts';
import type { Output } from '../output.ts';
import { rateText } from '../quota-text.ts';
import { sessionOf } from '../session.ts';

export function planCommands(): Command {
  const command = new Command('plans').description('Named sets of limits that tenants are held to');
  for (const part of [list(), show(), set(), remove()]) command.addCommand(part);
  return withExample(command, 'plans list');
}

function list(): Command {
  const command = new Command('list')
    .description('All of them')
    .action(async (_options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const plans = await client.plans.list();
      await out.result(plans, () => (plans.length > 0 ? table(out, plans) : 'no plans yet'));
    });
  return withExample(command, 'plans list');
}

const table = (out: Output, plans: readonly Plan[]): string =>
  out.table(
    ['PLAN', 'A DAY', 'UNFINISHED', 'RUNNING', 'RATE', 'WEIGHT', ''],
    plans.map((plan) => [
      plan.name,
      limitText(plan.limits.jobsPerDay),
      limitText(plan.limits.unfinishedJobs),
      limitText(plan.limits.runningJobs),
      rateText(plan.limits),
      numberText(plan.weight),
      [
        plan.isDefault && 'of new tenants',
        plan.fromFile && 'file',
        !plan.applied && 'being given to its tenants',
      ]
        .filter(Boolean)
        .join(', '),
    ]),
  );

const limitText = (limit: number | null): string => (limit === null ? 'no limit' : numberText(limit));

function show(): Command {
  const command = new Command('show')
    .description('One plan')
    .argument('<name>')
    .action(async (name: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const plan = await client.plans.get(name);
      await out.result(plan, () => planText(out, plan));
    });
  return withExample(command, 'plans show pro');
}

function planText(out: Output, plan: Plan): string {
  const { limits, updatedAt, updatedBy, reason } = plan;
  return out.fields([
    ['plan', plan.name],
    ['jobsPerDay', limitText(limits.jobsPerDay)],
    ['unfinishedJobs', limitText(limits.unfinishedJobs)],
    ['runningJobs', limitText(limits.runningJobs)],
    ['rate', rateText(limits)],
    ['payloadBytes', limitText(limits.payloadBytes)],
    ['onExceed', plan.onExceed],
    ['weight', String(plan.weight)],
    ['new tenants', plan.isDefault ? 'get it' : undefined],
    ['kept in', plan.fromFile ? 'PLANS_FILE' : undefined],
    ['applied', plan.applied ? 'to every tenant on it' : 'not to every tenant on it yet'],
    ['changed', updatedBy === null ? updatedAt : `${updatedAt} by ${plainText(updatedBy)}`],
    ['reason', reason === null ? undefined : plainText(reason)],
    ['revision', String(plan.revision)],
  ]);
}

type SetOptions = LimitOptions & { readonly reason?: string };

function set(): Command {
  const command = withLimitOptions(
    new Command('set')
      .description('Make a plan or change it; what is not named stays. Its tenants get it in the background')
      .argument('<name>'),
  )
    .option('--reason <text>', 'why')
    .action(async (name: string, { reason, ...limits }: SetOptions, self: Command) => {
      const { out, client } = sessionOf(self);
      const before = await client.plans.get(name).catch((error: unknown) => {
        if (error instanceof JobsApiError && error.code === 'plan-not-found') return undefined;
        throw error;
      });
      const terms = { ...changedTerms(limits, before), ...(reason !== undefined && { reason }) };
      const plan = await client.plans.put(name, terms, before && { revision: before.revision });
      await out.result(plan, () => planText(out, plan));
    });
  return withExample(command, 'plans set pro --jobs-per-day 100000 --enqueues-per-second 50 --weight 3');
}

function remove(): Command {
  const command = new Command('delete')
    .description('End a plan that nobody is on')
    .argument('<name>')
    .action(async (name: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      await client.plans.remove(name);
      await out.result({ name, deleted: true }, () => `${name}  deleted`);
    });
  return withExample(command, 'plans delete trial');
}
