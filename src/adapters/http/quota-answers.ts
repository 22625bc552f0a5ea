import type { FastifyReply } from 'fastify';
import type { AssignRefused } from '../../commands/plans/assign-terms.ts';
import type { QuotaChanged } from '../../commands/use-cases.ts';
import type { Quota } from './contract/quotas.ts';
import { HttpProblem, refusal } from './problems.ts';
import { quotaView } from './quota-views.ts';
import { setRevision } from './revision-headers.ts';
import type { ServerParts } from './server-parts.ts';

/** What changing a tenant's quota can end with. */
export const QUOTA_PROBLEMS = [
  'malformed-json',
  'contended',
  'revision-mismatch',
  'unsupported-media-type',
  'log-overloaded',
  'log-unavailable',
] as const;

/** The quota document of a tenant, as it is and as a change left it. */
export function quotaAnswers(parts: Pick<ServerParts, 'queries' | 'clock' | 'tenancy'>) {
  async function view(tenantId: string, known: Pick<QuotaChanged, 'quota' | 'revision'>): Promise<Quota> {
    const { queries, clock, tenancy } = parts;
    const [usage, initialTerms] = await Promise.all([queries.usageOf(tenantId), tenancy.initialTerms()]);
    return quotaView({ tenantId, ...known, usage, initialTerms, now: clock.now() });
  }

  async function send(
    reply: FastifyReply,
    tenantId: string,
    result: QuotaChanged | AssignRefused,
  ): Promise<Quota> {
    if (result.kind === 'refused') {
      const { reason } = result;
      throw reason === 'plan_not_found'
        ? new HttpProblem('plan-not-found')
        : refusal({ kind: 'refused', reason });
    }
    const { quota, revision, position } = result;
    setRevision(reply, revision, position);
    return view(tenantId, { quota, revision });
  }

  return { view, send };
}
