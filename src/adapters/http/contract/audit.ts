import { z } from 'zod';
import { cursor, jobId, pageLimit, pageOf, queryList, tenantId, text, time } from './values.ts';

const action = z
  .string()
  .regex(/^[A-Za-z][A-Za-z_.-]{0,99}$/, 'must be an action such as JobCancelRequested');

/** GET /v1/audit */
export const listAuditQuery = z.strictObject({
  actor: text(300).optional().describe('As it stands in the entries.'),
  action: queryList(action).optional(),
  jobId: jobId.optional(),
  from: time.optional(),
  to: time.optional().describe('Exclusive.'),
  limit: pageLimit,
  cursor: cursor.optional(),
});
export type ListAuditQuery = z.input<typeof listAuditQuery>;

export const auditEntry = z
  .object({
    id: z.string().describe('Of the event that says so.'),
    tenantId: tenantId.nullable().describe('null: it concerns all tenants, or several.'),
    at: time,
    actor: z.object({ id: z.string(), auth: z.string() }),
    action: z.string().describe('Name of the domain event, or of the noted action: projection.rebuild.'),
    subject: z.string().describe('The job, queue, tenant, key or other thing that it was done to.'),
    jobId: jobId.nullable(),
    reason: z.string().nullable(),
    requestId: z.string().nullable(),
    correlationId: z.string(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntry = z.infer<typeof auditEntry>;

export const auditPage = pageOf(auditEntry).meta({ id: 'AuditPage' });
export type AuditPage = z.infer<typeof auditPage>;
