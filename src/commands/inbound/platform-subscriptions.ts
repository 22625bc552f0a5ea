import { type SubscriptionRule, subscriptionRule } from './subscription.ts';

const PLAN = ['$.data.plan', '$.data.planName', '$.data.plan_name', '$.data.tier'];
const CLOSED_BY = 'platform-tenant-deleted';
const SUSPENDED_BY = 'platform-wallet-suspended';

/** What the other services of the platform say about tenants, and what it means here. In force with TENANT_EVENTS. */
export const PLATFORM_SUBSCRIPTIONS: ReadonlyMap<string, SubscriptionRule> = new Map(
  Object.entries({
    'platform-tenant-created': {
      topic: 'eventzr.auth.tenant.created**',
      action: { kind: 'initialize-tenant', plan: PLAN, closedBy: CLOSED_BY },
    },
    [CLOSED_BY]: {
      topic: 'eventzr.auth.tenant.deleted**',
      action: { kind: 'close-tenant', reason: 'the tenant was deleted' },
    },
    'platform-plan-changed': {
      topic: 'eventzr.subscriptions.changed**',
      action: { kind: 'set-plan', plan: PLAN },
    },
    [SUSPENDED_BY]: {
      topic: 'eventzr.wallet.suspended**',
      action: { kind: 'suspend-tenant', mode: 'claims', reason: ['$.data.reason'] },
    },
    'platform-wallet-resumed': {
      topic: 'eventzr.wallet.resumed**',
      action: { kind: 'resume-tenant', suspendedBy: SUSPENDED_BY },
    },
  }).map(([name, rule]) => [name, subscriptionRule.parse(rule)]),
);
