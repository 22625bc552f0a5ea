import { Command } from 'commander';
import type { AuditEntry } from '../../adapters/http/contract/audit.ts';
import { withExample } from '../example.ts';
import { plainText, shortText } from '../format.ts';
import type { Output } from '../output.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { sessionOf } from '../session.ts';
import { pastTime } from '../values.ts';

interface AuditOptions extends PageOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly job?: string;
  readonly from?: string;
  readonly to?: string;
}

export function auditCommand(): Command {
  const command = new Command('audit')
    .description('Who did what, when and why, newest first')
    .option('--actor <name>', 'as it stands in the list')
    .option('--action <list>', 'DeadLetterPurged,ApiKeyRevoked,projection.rebuild')
    .option('--job <id>')
    .option('--from <time>', 'a time, or 2h ago', pastTime)
    .option('--to <time>', 'before then', pastTime);
  withPageOptions(command).action(async ({ actor, action, job, from, to, ...page }: AuditOptions, self) => {
    const { out, client } = sessionOf(self);
    const filter = {
      ...(actor !== undefined && { actor }),
      ...(action !== undefined && { action: action.split(',') }),
      ...(job !== undefined && { jobId: job }),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    };
    await printPages(
      out,
      page,
      ({ limit, cursor }) => client.audit({ ...filter, limit: String(limit), ...(cursor && { cursor }) }),
      (rows) => table(out, rows),
    );
  });
  return withExample(command, 'audit --from 1d --action DeadLetterPurged');
}

const table = (out: Output, rows: readonly AuditEntry[]): string =>
  out.table(
    ['WHEN', 'WHO', 'DID', 'TO', 'TENANT', 'WHY'],
    rows.map(({ at, actor, action, subject, tenantId, reason }) => [
      at,
      `${plainText(actor.id)} (${actor.auth})`,
      action,
      plainText(subject),
      tenantId ?? '*',
      shortText(plainText(reason ?? ''), 60),
    ]),
  );
