import { z } from 'zod';
import { subscriptionName, subscriptionRule } from '../../../commands/inbound/subscription.ts';
import { anyJson, cursor, pageLimit, pageOf, reason, tenantId, text, time } from './values.ts';

/** What POST /v1/events takes; which envelope it is shows by its members. */
export const inboundEvents = z.unknown().meta({
  id: 'InboundEvents',
  description:
    'A CloudEvent or another envelope that docs/inbound.md names, or a list of them. With ce-… headers: its data.',
  examples: [
    {
      specversion: '1.0',
      id: 'e-1',
      source: 'shop',
      type: 'order.placed',
      time: '2026-11-21T09:30:00Z',
      data: { order_id: 'o-7812' },
    },
  ],
});

export const receiveEventsQuery = z.strictObject({
  topic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/, 'must be the name of a topic')
    .optional()
    .describe('What subscriptions compare with their topic. Default: the type of each event.'),
});

/** POST /v1/events */
export const eventsReceived = z
  .object({
    accepted: z.int().describe('Effects that happen because of these events.'),
    duplicates: z.int().describe('Effects that such an event had before.'),
    ignored: z.int().describe('Events that no subscription is about, or that something later has made void.'),
  })
  .meta({ id: 'EventsReceived' });
export type EventsReceived = z.infer<typeof eventsReceived>;

export const subscriptionParams = z.strictObject({ name: subscriptionName });

/** PUT /v1/subscriptions/{name} */
export const putSubscriptionRequest = subscriptionRule.meta({
  id: 'PutSubscription',
  examples: [
    {
      topic: 'order.placed',
      dedupeId: '$.data.order_id',
      action: { kind: 'enqueue', type: 'order.fulfil', payload: { order: '$.data.order_id' } },
    },
  ],
});
export type PutSubscriptionRequest = z.input<typeof putSubscriptionRequest>;

export const subscription = subscriptionRule
  .extend({
    name: z.string(),
    tenantId: tenantId.nullable().describe('Whose it is; null: of the whole platform.'),
    fromFile: z.boolean().describe('It is in SUBSCRIPTIONS_FILE and is changed there.'),
    createdAt: time,
    updatedAt: time,
    updatedBy: z.string(),
  })
  .meta({ id: 'Subscription' });
export type Subscription = z.infer<typeof subscription>;

export const subscriptionList = z.object({ data: z.array(subscription) });
export type SubscriptionList = z.infer<typeof subscriptionList>;

/** Items of GET /v1/consumers */
export const consumerGroup = z
  .object({
    groupId: z.string(),
    topics: z.array(z.string()),
    status: z.string().describe('As the broker says: Stable, Empty, PreparingRebalance, …'),
    members: z.int(),
    lag: z.int().describe('Messages that wait to be read.'),
    state: z.enum(['ok', 'warning', 'critical']).describe('By the lag: over 1,000, over 10,000.'),
    partitions: z.array(
      z.object({
        topic: z.string(),
        partition: z.int(),
        offset: z.string().describe('The next to be read; -1: none was read yet.'),
        end: z.string(),
        lag: z.int(),
      }),
    ),
  })
  .meta({ id: 'ConsumerGroup' });
export type ConsumerGroup = z.infer<typeof consumerGroup>;

export const consumerGroupList = z.object({ data: z.array(consumerGroup) });
export type ConsumerGroupList = z.infer<typeof consumerGroupList>;

const letterReason = z.enum(['invalid', 'failed']);
const letterError = text(500).describe('Part of the error, as `tenant_suspended`.');

/** GET /v1/inbox/dead-letters */
export const listInboxDeadLettersQuery = z.strictObject({
  topic: text(249).optional(),
  status: z.enum(['waiting', 'replayed']).optional(),
  reason: letterReason.optional(),
  error: letterError.optional(),
  limit: pageLimit,
  cursor: cursor.optional(),
});
export type ListInboxDeadLettersQuery = z.input<typeof listInboxDeadLettersQuery>;

export const inboxDeadLetterParams = z.strictObject({ id: z.uuid('must be a UUID') });

/** A message that nothing could be made of. */
export const inboxDeadLetter = z
  .object({
    id: z.string(),
    topic: z.string(),
    partition: z.int(),
    offset: z.string(),
    groupId: z.string(),
    tenantId: z.string().nullable(),
    key: z.string().nullable(),
    payload: z.string().describe('The message: text, or base64 where it is none.'),
    encoding: z.enum(['utf8', 'base64']),
    headers: z.record(z.string(), z.string()),
    sentAt: time,
    reason: letterReason,
    error: z.string(),
    stack: z.string().nullable(),
    faults: z.array(z.object({ path: z.string(), message: z.string() })).nullable(),
    attempts: z.int(),
    failedAt: time,
    editedAt: time.nullable(),
    editedBy: z.string().nullable(),
    status: z.enum(['waiting', 'replayed']),
    replayedAt: time.nullable(),
    replayedBy: z.string().nullable(),
  })
  .meta({ id: 'InboxDeadLetter' });
export type InboxDeadLetter = z.infer<typeof inboxDeadLetter>;

export const inboxDeadLetterPage = pageOf(inboxDeadLetter).meta({ id: 'InboxDeadLetterPage' });
export type InboxDeadLetterPage = z.infer<typeof inboxDeadLetterPage>;

const corrected = { event: 'BrandCatalogUpdated', occurred_at: '2026-11-21T09:30:00Z' };

/** PATCH /v1/inbox/dead-letters/{id} */
export const editInboxDeadLetterRequest = z
  .strictObject({ payload: anyJson.describe('The message as it should have been.') })
  .meta({ id: 'EditInboxDeadLetter', examples: [{ payload: corrected }] });

/** POST /v1/inbox/dead-letters/{id}/replay */
export const replayInboxDeadLetterRequest = z
  .strictObject({ payload: anyJson.optional().describe('Edited; absent: as it is.') })
  .meta({ id: 'ReplayInboxDeadLetter', examples: [{ payload: corrected }] });

/** POST /v1/inbox/dead-letters/replay */
export const replayInboxDeadLettersRequest = z
  .strictObject({
    filter: z
      .strictObject({
        topic: text(249).optional(),
        reason: letterReason.optional(),
        error: letterError.optional(),
        tenantId: tenantId.optional(),
      })
      .refine((value) => Object.keys(value).length > 0, 'give at least one condition'),
    reason: reason.optional().describe('Why; kept in the audit.'),
    limit: z.int().min(1).max(200).default(100).describe('Messages of one call.'),
    cursor: cursor.optional().describe('The nextCursor of the call before.'),
  })
  .meta({
    id: 'ReplayInboxDeadLetters',
    examples: [{ filter: { error: 'tenant_suspended' }, reason: 'the invoice was paid' }],
  });
export type ReplayInboxDeadLettersRequest = z.input<typeof replayInboxDeadLettersRequest>;

export const inboxDeadLettersReplayed = z
  .object({
    seen: z.int().describe('Messages of this call.'),
    replayed: z.int(),
    left: z.int().describe('Those that still wait.'),
    errors: z
      .array(z.object({ error: z.string(), messages: z.int() }))
      .describe('Why they do; the ten most frequent.'),
    nextCursor: z.string().nullable().describe('Where the next call goes on; null: all have had their turn.'),
  })
  .meta({ id: 'InboxDeadLettersReplayed' });
export type InboxDeadLettersReplayed = z.infer<typeof inboxDeadLettersReplayed>;
