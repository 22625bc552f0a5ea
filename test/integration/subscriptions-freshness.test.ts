import { expect, it } from 'vitest';
import { createSubscriptionStore } from '../../src/adapters/postgres/subscriptions.ts';
import { subscriptionRule } from '../../src/commands/inbound/subscription.ts';
import { createDatabase } from '../support/database.ts';
import { movableClock } from '../support/dispatch.ts';

const RULE = subscriptionRule.parse({ topic: 'orders', action: { kind: 'enqueue', type: 'mail.send' } });

it('subscriptions that another process made are noticed also when the clock has gone back', async () => {
  await using database = await createDatabase();
  const clock = movableClock();
  const store = createSubscriptionStore(database.pool, clock);
  expect(await store.current()).toEqual([]);
  const other = createSubscriptionStore(database.pool, clock);
  await other.put({ name: 'orders', tenantId: 'acme', rule: RULE, by: 'test', note: async () => undefined });
  clock.advance(-3_600_000);
  expect((await store.current()).map(({ name }) => name)).toEqual(['orders']);
});
