import { z } from 'zod';
import { isJsonPath, JSON_PATH } from './json-path.ts';
import { TENANT_ACTIONS } from './tenant-action.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/;
const NAME_RULE = 'must start with a letter or digit, then letters, digits and _.:-, at most 100 characters';
const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** What a rule takes from an event: written out, or a path such as `$.data.order_id`. */
const path = z.string().regex(JSON_PATH, 'must be a path such as $.data.order_id');
const orPath = (literal: RegExp, rule: string) =>
  z.string().refine((text) => (isJsonPath(text) ? JSON_PATH : literal).test(text), {
    error: `${rule}; or a path such as $.data.order_id`,
  });

export const subscriptionName = z
  .string()
  .regex(NAME, NAME_RULE)
  .meta({ examples: ['orders'] });

const pattern = z
  .string()
  .regex(/^[A-Za-z0-9._*-]{1,249}$/, 'must be a name with * for any part between dots, ** for anything');

const template = z.unknown().refine((value) => pathsFit(value), {
  error: 'strings that begin with $ must be paths such as $.data.order_id',
});

const enqueue = z
  .strictObject({
    kind: z.literal('enqueue'),
    type: orPath(NAME, NAME_RULE).describe('Type of the job.'),
    payload: template
      .optional()
      .describe('Any JSON in which strings such as $.data.id stand for what they lead to. Default: $.data'),
    queue: orPath(NAME, NAME_RULE).optional(),
    priority: z.union([z.int().min(1).max(9), path]).optional(),
    runAt: path.optional().describe('Leads to an RFC 3339 time or to milliseconds since 1970.'),
    dedupeKey: path.optional().describe('While an unfinished job has the same one, no other is created.'),
    maxAttempts: z.int().min(1).max(1_000).optional(),
    tags: z.array(z.string().min(1).max(100)).max(20).optional(),
  })
  .describe('Creates a job for every event.');

const target = z.union([
  path.describe('Leads to the id of a job.'),
  z
    .strictObject({ subscription: subscriptionName, dedupeId: path })
    .describe('The job that another subscription has created for this dedupe id.'),
]);

export const subscriptionAction = z.discriminatedUnion('kind', [
  enqueue,
  z.strictObject({ kind: z.literal('cancel'), job: target }),
  z.strictObject({ kind: z.literal('retry'), job: target }),
  ...TENANT_ACTIONS,
]);
export type SubscriptionAction = z.infer<typeof subscriptionAction>;

/** Which events a subscription is about, and what they cause. */
export const subscriptionRule = z.strictObject({
  topic: pattern.describe('Name of a topic; * stands for any part between dots, ** for anything.'),
  types: z.array(pattern).min(1).max(20).optional().describe('Types of events; absent: all of the topic.'),
  tenant: orPath(TENANT, 'must be a tenant id')
    .optional()
    .describe('Tenant of the job. Default: the one that the envelope names.'),
  dedupeId: path
    .optional()
    .describe('What makes an event the same as another. Default: the id that its envelope gives.'),
  invalid: z
    .enum(['dead-letter', 'discard'])
    .default('dead-letter')
    .describe('What becomes of messages that nobody can make use of.'),
  action: subscriptionAction,
});
export type SubscriptionRule = z.infer<typeof subscriptionRule>;

export interface Subscription extends SubscriptionRule {
  readonly name: string;
  /** Whose it is: it only sees events of this tenant. null: of the whole platform. */
  readonly tenantId: string | null;
}

/**
 * Whether a topic or a type fits a pattern. Whoever writes the pattern sends the names, too: wherever the stars stand, the
 * work is at most the product of both lengths, which no regular expression promises.
 */
export function fitsPattern(pattern: string, name: string): boolean {
  const parts = pattern.match(/\*\*+|\*|[^*]/g) ?? [];
  // Places in the pattern that the characters so far lead to; a star may also stand for nothing.
  let places = beyondStars(parts, new Set([0]));
  for (const character of name) {
    const next = new Set<number>();
    for (const place of places) {
      const part = parts[place];
      if (part === character && part !== '*') next.add(place + 1);
      else if (part?.startsWith('*') && (part !== '*' || character !== '.')) next.add(place);
    }
    if (next.size === 0) return false;
    places = beyondStars(parts, next);
  }
  return places.has(parts.length);
}

/**
 * Whether the first part of a pattern is written out. Patterns of tenants must be so: each topic that fits one is read whole,
 * whoever its events are of.
 */
export const namesItsTopics = (pattern: string): boolean => /^[^.*]+(\.|$)/.test(pattern);

/** What is added while a set is gone through is gone through as well. */
function beyondStars(parts: readonly string[], places: Set<number>): ReadonlySet<number> {
  for (const place of places) if (parts[place]?.startsWith('*')) places.add(place + 1);
  return places;
}

function pathsFit(value: unknown): boolean {
  if (isJsonPath(value)) return JSON_PATH.test(value);
  if (Array.isArray(value)) return value.every(pathsFit);
  return typeof value !== 'object' || value === null || Object.values(value).every(pathsFit);
}
