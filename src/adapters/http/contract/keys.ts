import { z } from 'zod';
import { cursor, pageLimit, pageOf, reason, tenantId, text, time } from './values.ts';

const role = z.enum(['viewer', 'worker', 'producer', 'operator', 'admin']).meta({ id: 'Role' });

const tenants = z
  .union([z.literal('*'), z.array(tenantId).min(1).max(100)])
  .describe('Tenants it acts for; * stands for every tenant.');

/** An item of GET /v1/keys */
export const key = z
  .object({
    id: z.string(),
    name: z.string().describe('Shown as the actor of events, with the id.'),
    tenants,
    role,
    createdAt: time,
    expiresAt: time.nullable(),
    revokedAt: time.nullable(),
    lastUsedAt: time.nullable().describe('To the minute.'),
    previousSecretUntil: time.nullable().describe('The secret before the last rotation works until then.'),
  })
  .meta({ id: 'Key' });
export type Key = z.infer<typeof key>;

/** GET /v1/keys */
export const listKeysQuery = z.strictObject({ limit: pageLimit, cursor: cursor.optional() });
export type ListKeysQuery = z.input<typeof listKeysQuery>;

export const keyPage = pageOf(key).meta({ id: 'KeyPage' });
export type KeyPage = z.infer<typeof keyPage>;

export const keyParams = z.strictObject({
  id: z.string().regex(/^[a-z0-9]{12}$/, 'must be the id of a key: the part after ezk_'),
});

/** POST /v1/keys */
export const createKeyRequest = z
  .strictObject({
    name: text(100),
    role,
    tenants: tenants.optional().describe('Absent: the tenant of the request.'),
    expiresAt: time.optional().describe('Absent: it works until it is revoked.'),
    reason: reason.optional(),
  })
  .meta({ id: 'CreateKey', examples: [{ name: 'shop', role: 'producer', reason: 'new web shop' }] });
export type CreateKeyRequest = z.input<typeof createKeyRequest>;

/** POST /v1/keys/{id}/rotate */
export const rotateKeyRequest = z
  .strictObject({
    graceMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .optional()
      .describe('How long the secret before goes on working. Absent: it ends at once.'),
    expiresAt: time.optional().describe('A new end of the key. Absent: as it was.'),
    reason: reason.optional(),
  })
  .meta({ id: 'RotateKey', examples: [{ graceMs: 3_600_000, reason: 'quarterly rotation' }] });
export type RotateKeyRequest = z.input<typeof rotateKeyRequest>;

/** The token is shown in this answer and never again. */
export const keyWithToken = key.extend({ token: z.string() }).meta({ id: 'KeyWithToken' });
export type KeyWithToken = z.infer<typeof keyWithToken>;

/** DELETE /v1/keys/{id}?reason= */
export const revokeKeyQuery = z.strictObject({ reason: reason.optional() });
