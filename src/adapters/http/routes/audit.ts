import type { AuditRow } from '../../../projections/audit-queries.ts';
import { eventId } from '../../cloudevents/event-id.ts';
import { followLog } from '../await-position.ts';
import { platformScopeOf } from '../caller.ts';
import { type AuditEntry, auditPage, listAuditQuery } from '../contract/audit.ts';
import { formatTime, parseOptionalTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';
import { pageView } from './page.ts';

export function auditRoutes(app: App, parts: ServerParts): void {
  const { queries } = parts;

  app.get(
    '/v1/audit',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'listAudit',
        summary: 'Who did what, when and why, newest first',
        description:
          'Cancels, retries, amendments, replays and purges by people and programs, changes of queues, tenants, quotas ' +
          'and keys, and what was done to the service itself. Enqueues and the work of workers are in the history of ' +
          'each job.',
        tags: ['audit'],
        querystring: listAuditQuery,
        response: answers({ 200: auditPage }, 'tenant-required', 'invalid-cursor', 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'audit');
      const { limit, cursor, action: actions, from, to, ...filter } = request.query;
      const times = { from: parseOptionalTime(from), to: parseOptionalTime(to) };
      const tenantId = platformScopeOf(request);
      const page = await queries.listAudit({ ...filter, ...times, actions, tenantId }, { limit, cursor });
      return pageView(page, auditView, request, reply);
    },
  );
}

const auditView = ({ stream, revision, at, details, ...row }: AuditRow): AuditEntry => ({
  id: eventId(stream, revision),
  ...row,
  at: formatTime(at),
  details: JSON.parse(details) as AuditEntry['details'],
});
