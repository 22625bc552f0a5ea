import { z } from 'zod';
import { planName } from '../plans/plan-terms.ts';
import { isJsonPath, JSON_PATH } from './json-path.ts';

const path = z.string().regex(JSON_PATH, 'must be a path such as $.data.plan');
const paths = z.array(path).min(1).max(10);

/** Written out, a path, or several paths: the first that leads to something. */
const plan = z.union([
  z.string().refine((text) => (isJsonPath(text) ? JSON_PATH.test(text) : planName.safeParse(text).success), {
    error: 'must be the name of a plan, or a path such as $.data.plan',
  }),
  paths,
]);
const why = z.union([
  z
    .string()
    .min(1)
    .max(200)
    .refine(
      (text) => !isJsonPath(text) || JSON_PATH.test(text),
      'must be words, or a path such as $.data.reason',
    ),
  paths,
]);
const subscription = z.string().min(1).max(100);

/** What an event can do to a tenant. Only subscriptions of the platform may have these. */
export const TENANT_ACTIONS = [
  z
    .strictObject({
      kind: z.literal('initialize-tenant'),
      plan: plan.optional().describe('Where it leads nowhere, or is absent: the plan in DEFAULT_PLAN.'),
      closedBy: subscription.optional().describe('Also undoes what this subscription closed.'),
    })
    .describe('Gives a tenant that nothing was ever set for its first limits.'),
  z.strictObject({ kind: z.literal('set-plan'), plan }).describe('Puts the tenant on a plan.'),
  z
    .strictObject({
      kind: z.literal('suspend-tenant'),
      mode: z.enum(['claims', 'all']).optional().describe('Absent: claims.'),
      reason: why.optional(),
    })
    .describe('Suspends the tenant, unless a person has suspended it as strictly.'),
  z
    .strictObject({ kind: z.literal('resume-tenant'), suspendedBy: subscription })
    .describe('Ends a suspension that this subscription has begun, and none of anybody else.'),
  z
    .strictObject({ kind: z.literal('close-tenant'), reason: why.optional() })
    .describe('Suspends the tenant with mode all; resume-tenant does not undo it.'),
] as const;

export type TenantAction = z.infer<(typeof TENANT_ACTIONS)[number]>;

export const isTenantAction = <Action extends { readonly kind: string }>(
  action: Action | TenantAction,
): action is TenantAction => action.kind.endsWith('-tenant') || action.kind === 'set-plan';

/** What an action comes down to for one event. */
export type TenantChange =
  | {
      readonly kind: 'initialize-tenant';
      readonly plan?: string | undefined;
      readonly closedBy?: string | undefined;
    }
  | { readonly kind: 'set-plan'; readonly plan: string }
  | { readonly kind: 'suspend-tenant'; readonly mode: 'claims' | 'all'; readonly reason: string }
  | { readonly kind: 'resume-tenant'; readonly suspendedBy: string }
  | { readonly kind: 'close-tenant'; readonly reason: string };

/** Among changes about the same, what happened later wins, whatever comes later. */
export const ABOUT = {
  'initialize-tenant': 'existence',
  'close-tenant': 'existence',
  'set-plan': 'terms',
  'suspend-tenant': 'suspension',
  'resume-tenant': 'suspension',
} as const satisfies Record<TenantAction['kind'], string>;
