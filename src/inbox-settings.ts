import { z } from 'zod';
import type { InboundSettings } from './inbound.ts';
import { setting, wholeNumber, yesOrNo } from './setting.ts';

const namePart = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$/, 'must be letters, digits, dots, dashes and underscores');

export const INBOX_SETTINGS = {
  SUBSCRIPTIONS_FILE: setting(
    z.string().optional(),
    '',
    'JSON file with subscriptions to events of other services, by name. Not set: only those made over the API',
  ),
  TENANT_EVENTS: setting(
    yesOrNo(),
    'false',
    '`true` to let `eventzr.auth.tenant…`, `eventzr.subscriptions.changed…` and `eventzr.wallet…` events change tenants',
  ),
  INBOX_GROUP_PREFIX: setting(
    namePart,
    'eventzr',
    'Consumer groups are named `{prefix}-{service}-{topic}`: the prefix',
  ),
  INBOX_SERVICE: setting(namePart, 'jobs', 'The service in the names of consumer groups'),
  INBOX_START: setting(
    z.enum(['earliest', 'latest'], { error: 'must be earliest or latest' }),
    'earliest',
    'Where reading begins in topics that were never read: `earliest` or `latest`',
  ),
  INBOX_KEEP_MS: setting(
    wholeNumber(3_600_000, 315_360_000_000),
    '2592000000',
    'How long processed events are remembered, so that they have no second effect',
  ),
} as const;

type Schemas = { [Name in keyof typeof INBOX_SETTINGS]: (typeof INBOX_SETTINGS)[Name]['schema'] };
export type InboxValues = Readonly<z.infer<z.ZodObject<Schemas>>>;

export const inboundSettings = (values: InboxValues): InboundSettings => ({
  naming: { prefix: values.INBOX_GROUP_PREFIX, service: values.INBOX_SERVICE },
  start: values.INBOX_START,
  keepMs: values.INBOX_KEEP_MS,
  subscriptionsFile: values.SUBSCRIPTIONS_FILE,
  tenantEvents: values.TENANT_EVENTS,
});
