import { Command } from 'commander';
import type { Quota, QuotaHistoryEntry } from '../../adapters/http/contract/quotas.ts';
import type { JobsClient } from '../../sdk/client.ts';
import { JobsApiError } from '../../sdk/errors.ts';
import { withExample } from '../example.ts';
import type { Output } from '../output.ts';
import { changeText, ofText, suspendedText } from '../quota-text.ts';
import { sessionOf } from '../session.ts';
import { clockTime } from '../values.ts';

/** Refusals are written at once, then once a minute: this far behind a time they may still be of it. */
const AROUND_MS = 65_000;

export function whyCommand(): Command {
  const command = new Command('why')
    .description('Why jobs of a tenant were refused at a time, and what the balance was')
    .argument('<tenant>')
    .option('--at <time>', 'a time, 14:03 for the last one (UTC), or 10m ago; standard: now', clockTime)
    .action(async (tenant: string, { at = new Date().toISOString() }: { at?: string }, self: Command) => {
      const { out, client } = sessionOf(self);
      const around = (ms: number) => new Date(Date.parse(at) + ms).toISOString();
      const [quota, refusals] = await Promise.all([
        quotaAt(client, tenant, at),
        refusalsBetween(client, tenant, around(-AROUND_MS), around(AROUND_MS)),
      ]);
      await out.result({ tenant, at, quota, refusals }, () => answerText(out, tenant, at, quota, refusals));
    });
  return withExample(command, 'quota why acme --at 14:03');
}

/** null: nothing had been set for the tenant by then. */
async function quotaAt(client: JobsClient, tenant: string, at: string): Promise<Quota | null> {
  try {
    return await client.tenants.quota(tenant, new Date(at));
  } catch (error) {
    if (error instanceof JobsApiError && error.code === 'not-found') return null;
    throw error;
  }
}

async function refusalsBetween(
  client: JobsClient,
  tenant: string,
  from: string,
  to: string,
): Promise<readonly QuotaHistoryEntry[]> {
  const found: QuotaHistoryEntry[] = [];
  for await (const entry of client.tenants.historyAll(tenant, { from, to, limit: 200 })) {
    if (entry.change.kind === 'exceeded') found.push(entry);
  }
  return found;
}

function answerText(
  out: Output,
  tenant: string,
  at: string,
  quota: Quota | null,
  refusals: readonly QuotaHistoryEntry[],
): string {
  if (!quota) return `${tenant} had no quota at ${at}: nothing of it was refused for one`;
  const { suspended, limits, usage, plan } = quota;
  const reasons = [
    ...(suspended ? [out.paint('red', `suspended: ${suspendedText(suspended)}`)] : []),
    ...refusals.map((entry) => out.paint('red', `${entry.at}  ${changeText(entry)}`)),
  ];
  return [
    reasons.length > 0 ? reasons.join('\n') : `nothing of ${tenant} was refused around ${at}`,
    '',
    out.fields([
      ['at', at],
      ['plan', plan ?? 'none'],
      ['jobsPerDay', ofText(usage.jobsPerDay, limits.jobsPerDay)],
      ['unfinishedJobs', ofText(usage.unfinishedJobs, limits.unfinishedJobs)],
    ]),
  ].join('\n');
}
