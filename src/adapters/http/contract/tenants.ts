import { z } from 'zod';
import { planName } from '../../../commands/plans/plan-terms.ts';
import { quota } from './quotas.ts';
import { cursor, pageLimit, pageOf, tenantId, time } from './values.ts';

export const tenantParams = z.strictObject({ tenant: tenantId });

/** GET /v1/tenants */
export const listTenantsQuery = z.strictObject({
  plan: planName.optional(),
  suspended: z.stringbool({ truthy: ['true'], falsy: ['false'] }).optional(),
  limit: pageLimit,
  cursor: cursor.optional(),
});
export type ListTenantsQuery = {
  readonly plan?: string;
  readonly suspended?: boolean;
  readonly limit?: number;
  readonly cursor?: string;
};

/** GET /v1/tenants/{tenant}, and the items of GET /v1/tenants: as of the read model's position. */
export const tenant = quota
  .omit({ tenantId: true })
  .extend({ id: tenantId, updatedAt: time.nullable().describe('When something last happened that counts.') })
  .meta({ id: 'Tenant' });
export type Tenant = z.infer<typeof tenant>;

export const tenantPage = pageOf(tenant).meta({ id: 'TenantPage' });
export type TenantPage = z.infer<typeof tenantPage>;
