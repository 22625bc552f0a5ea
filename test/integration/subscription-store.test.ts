import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { createSubscriptionStore } from '../../src/adapters/postgres/subscriptions.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { subscriptionRule } from '../../src/commands/inbound/subscription.ts';
import { MOST_SUBSCRIPTIONS, type SubscriptionStore } from '../../src/commands/inbound/subscription-store.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { failing, notes } from '../support/noting.ts';

let database: TestDatabase;
/** Two processes. */
let store: SubscriptionStore;
let other: SubscriptionStore;
beforeAll(async () => {
  database = await createDatabase();
  store = createSubscriptionStore(database.pool, systemClock);
  other = createSubscriptionStore(database.pool, systemClock);
});
afterAll(() => database?.[Symbol.asyncDispose]());

const rule = subscriptionRule.parse({ topic: 'orders', action: { kind: 'enqueue', type: 'mail.send' } });
const changed = { ...rule, topic: 'orders.**' };
const unnoted = async () => undefined;
const write = (name: string, tenantId: string | null, more = {}) => ({
  ...{ name, tenantId, rule, by: 'test', note: unnoted },
  ...more,
});

describe('a change of a subscription', () => {
  it('is not made when it can not be noted', async () => {
    await store.put(write('unnoted', 'acme'));
    const before = await store.get('unnoted', 'acme');
    const puts = [write('unnoted', 'acme', { rule: changed, note: failing })];
    puts.push(write('new', 'acme', { note: failing }));
    for (const put of puts) await expect(store.put(put)).rejects.toThrow('the log is away');
    await expect(store.remove('unnoted', 'acme', failing)).rejects.toThrow('the log is away');
    expect(await store.get('unnoted', 'acme')).toEqual(before);
    expect(await store.get('new', 'acme')).toBeUndefined();
  });

  it('is noted before anybody sees it, so that no end of the process loses the note', async () => {
    const seen: unknown[] = [];
    const note = async () => {
      const found = await other.get('noted', 'acme');
      seen.push(typeof found === 'object' && found.topic);
    };
    await store.put(write('noted', 'acme', { note }));
    await store.put(write('noted', 'acme', { rule: changed, note }));
    await store.remove('noted', 'acme', note);
    expect(seen).toEqual([false, rule.topic, changed.topic]);
    expect(await other.get('noted', 'acme')).toBeUndefined();
  });

  it('that is refused is not noted', async () => {
    const { note, taken } = notes();
    await store.replaceFromFile(new Map([['filed', rule]]));
    await store.put(write('of-platform', null));
    expect([
      await store.put(write('filed', null, { note })),
      await store.remove('filed', null, note),
      await store.put(write('of-platform', 'acme', { note })),
      await store.remove('of-platform', 'acme', note),
      await store.remove('missing', null, note),
    ]).toEqual(['taken', 'taken', 'taken', 'missing', 'missing']);
    expect(taken()).toBe(0);
  });

  it('that ends it is made and noted once, however many processes try', async () => {
    const { note, taken } = notes();
    for (let round = 1; round <= 20; round += 1) {
      const name = `round-${round}`;
      await store.put(write(name, 'acme'));
      const removed = await Promise.all([store.remove(name, 'acme', note), other.remove(name, 'acme', note)]);
      expect(removed.toSorted()).toEqual(['missing', 'removed']);
      expect(taken()).toBe(round);
    }
  });

  it('never leaves a tenant more than its limit, however many processes make them at once', async () => {
    const { note, taken } = notes();
    const names = Array.from({ length: MOST_SUBSCRIPTIONS - 5 }, (_, index) => `bounded-${index}`);
    for (const name of names) await store.put(write(name, 'bounded'));
    const written = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        [store, other][index % 2]?.put(write(`racing-${index}`, 'bounded', { note })),
      ),
    );
    expect(written.filter((one) => one === 'too_many')).toHaveLength(15);
    expect(taken()).toBe(5);
    expect(await store.list('bounded')).toHaveLength(MOST_SUBSCRIPTIONS);
    const replaced = await store.put(write('bounded-0', 'bounded', { rule: changed }));
    expect(replaced).toMatchObject({ topic: changed.topic });
    expect(await store.put(write('not-bounded', 'acme'))).toMatchObject({ tenantId: 'acme' });
    await store.remove('bounded-0', 'bounded', unnoted);
    expect(await store.put(write('in-its-place', 'bounded'))).toMatchObject({ name: 'in-its-place' });
  });

  it('of the platform knows no limit, and does not count for tenants', async () => {
    for (let index = 0; index <= MOST_SUBSCRIPTIONS; index += 1) {
      expect(await store.put(write(`platform-${index}`, null))).toMatchObject({ tenantId: null });
    }
    expect(await store.put(write('first', 'newcomer'))).toMatchObject({ tenantId: 'newcomer' });
  });

  it('leaves the log connections to note it with, however many change subscriptions at once', async () => {
    const pool = createPool({ connectionString: database.url, max: 2, connectTimeoutMs: 2_000 });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => pool.end());
    const few = createSubscriptionStore(pool, systemClock);
    const note = () => pool.query('select 1');
    const written = await Promise.all(
      Array.from({ length: 30 }, (_, index) => few.put(write(`many-${index}`, 'many', { note }))),
    );
    expect(written.filter((one) => typeof one === 'string')).toEqual([]);
  });
});
