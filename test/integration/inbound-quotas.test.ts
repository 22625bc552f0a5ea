import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InboundMessage } from '../../src/commands/inbound/inbound-event.ts';
import { UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { createEngine, type Engine } from '../../src/engine.ts';
import { DEFAULT_INBOUND } from '../../src/inbound.ts';
import { caller } from '../support/caller.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { waitUntil } from '../support/wait-until.ts';
import { withinOneDay } from '../support/within-one-day.ts';

let database: TestDatabase;
let engine: Engine;
beforeAll(async () => {
  await withinOneDay(60_000);
  database = await createDatabase();
  engine = await createEngine({
    databaseUrl: database.url,
    plans: { defaultPlan: 'free' },
    inbound: { ...DEFAULT_INBOUND, tenantEvents: true },
  });
  const { plans } = engine.parts.tenancy;
  const terms = { limits: { ...UNLIMITED, jobsPerDay: 1 }, onExceed: 'reject', weight: 1 } as const;
  const note = async () => undefined;
  await plans.put({ name: 'free', terms, by: 'test', note });
  const few = { ...UNLIMITED, unfinishedJobs: 5, payloadBytes: 20 };
  await plans.put({ name: 'five', terms: { ...terms, limits: few }, by: 'test', note });
  await plans.put({ name: 'pro', terms: { ...terms, limits: UNLIMITED, weight: 3 }, by: 'test', note });
  const rule = {
    topic: 'shop.orders',
    invalid: 'dead-letter',
    action: { kind: 'enqueue', type: 't' },
  } as const;
  await engine.parts.inbound.subscriptions.put({ name: 'orders', tenantId: null, rule, by: 'test', note });
  await waitUntil('the subscriptions are there', async () => {
    return (await engine.parts.inbound.subscriptions.list(null)).length === 6;
  });
});
afterAll(async () => {
  await engine.stop();
  await database[Symbol.asyncDispose]();
});

let offset = 0;
/** As it comes from Kafka: nobody's credential. */
function message(topic: string, tenant: string, data: object, minute = 0): InboundMessage {
  offset += 1;
  const event = {
    event: topic,
    event_id: `e-${offset}`,
    occurred_at: new Date(Date.UTC(2026, 10, 21, 9, minute)).toISOString(),
    service: 's',
    tenant_id: tenant,
    payload: data,
  };
  const value = Buffer.from(JSON.stringify(event));
  return { topic, key: null, value, headers: {}, sentAt: Date.now(), place: `${topic}-0-${offset}` };
}

const handle = (...messages: readonly InboundMessage[]) =>
  engine.parts.inbound.handle(messages, { actor: { id: 'inbox', auth: 'system' } });
const quotaOf = async (tenant: string) => (await engine.parts.useCases.readQuota(tenant)).quota;

it('a batch from a topic changes tenants and enqueues jobs, each as far as it goes', async () => {
  const outcomes = await handle(
    message('eventzr.auth.tenant.created.v1', 'one', {}, 1),
    message('eventzr.subscriptions.changed.v1', 'one', { tier: 'pro' }, 3),
    message('eventzr.subscriptions.changed.v1', 'one', { tier: 'free' }, 2),
    message('eventzr.subscriptions.changed.v1', 'one', { tier: 'unheard-of' }, 4),
    message('shop.orders', 'one', { order: 1 }),
  );
  expect(outcomes.map((outcome) => outcome.kind)).toEqual(['done', 'done', 'done', 'failed', 'done']);
  expect(outcomes[2]).toMatchObject({ accepted: 0, ignored: 1 });
  expect(outcomes[3]).toMatchObject({ error: { code: 'plan_not_found' } });
  expect(await quotaOf('one')).toMatchObject({ terms: { plan: 'pro', weight: 3 } });
});

it('a job of a tenant that is full fails alone, and works once there is room', async () => {
  const first = message('shop.orders', 'full', { order: 1 });
  expect(await handle(first)).toMatchObject([{ kind: 'done', accepted: 1 }]);
  expect(await quotaOf('full')).toMatchObject({ terms: { plan: 'free' } });
  const second = message('shop.orders', 'full', { order: 2 });
  const refused = await waitUntil('the first job counts', async () => {
    const [outcome] = await handle(message('shop.orders', 'full', { probe: true }));
    return outcome?.kind === 'failed' && outcome;
  });
  expect(refused.error).toMatchObject({
    code: 'quota_exceeded',
    refused: { quota: { limit: 'jobsPerDay' } },
  });
  const outcomes = await handle(second, message('shop.orders', 'roomy', { order: 3 }), first);
  expect(outcomes).toMatchObject([
    { kind: 'failed' },
    { kind: 'done', accepted: 1 },
    { kind: 'done', accepted: 0, duplicates: 1 },
  ]);
  await engine.parts.tenancy.assign.toPlan(caller('full'), 'pro', {});
  expect(await handle(second)).toMatchObject([{ kind: 'done', accepted: 1 }]);
});

it('a batch makes no more jobs than there is room for, one event or one message after the other', async () => {
  await engine.parts.tenancy.assign.toPlan(caller('batch'), 'five', {});
  const events = Array.from({ length: 12 }, (_, order) => message('shop.orders', 'batch', { order }));
  const [first] = events;
  if (!first) throw new Error('no events');
  const tooLarge = message('shop.orders', 'batch', { order: 'too large a payload' });
  const list = { ...first, place: 'list', value: Buffer.from(`[${events.map(({ value }) => value)}]`) };
  const outcomes = await handle(list, tooLarge, first, ...events);
  const kinds = outcomes.map((outcome) => (outcome.kind === 'done' ? outcome.accepted : outcome.kind));
  const refused = new Array<string>(7).fill('failed');
  expect(kinds).toEqual(['failed', 'failed', 1, 0, 1, 1, 1, 1, ...refused]);
  expect(outcomes.at(-1)).toMatchObject({
    error: { code: 'quota_exceeded', refused: { quota: { limit: 'unfinishedJobs' } } },
  });
  expect(outcomes[1]).toMatchObject({ error: { refused: { quota: { limit: 'payloadBytes' } } } });
  await waitUntil('the jobs count', async () => {
    const [outcome] = await handle(message('shop.orders', 'batch', { probe: true }));
    return outcome?.kind === 'failed';
  });
  expect((await handle(...events)).filter(({ kind }) => kind === 'done')).toHaveLength(5);
});

it('a transaction of the caller gives a new tenant the default plan, too', async () => {
  const client = await database.pool.connect();
  try {
    await client.query('begin');
    const staged = await engine.enqueue('own', [{ type: 't' }], { client });
    expect(staged).toMatchObject([{ kind: 'staged' }]);
    await client.query('commit');
  } finally {
    client.release();
  }
  expect(await quotaOf('own')).toMatchObject({ terms: { plan: 'free' } });
});

it('switching tenant events off ends their subscriptions, and a process without a say ends none', async () => {
  const { subscriptions } = engine.parts.inbound;
  const countAfter = async (tenantEvents: boolean | undefined, wanted: number): Promise<void> => {
    await using other = await createEngine({
      databaseUrl: database.url,
      roles: new Set(['inbox']),
      inbound: { ...DEFAULT_INBOUND, tenantEvents },
    });
    expect(other.parts.inbound.tasks.subscriptions_file === undefined).toBe(tenantEvents === undefined);
    await waitUntil('the subscriptions are as wanted', async () => {
      return (await subscriptions.list(null)).length === wanted;
    });
  };
  await countAfter(undefined, 6);
  await countAfter(false, 1);
  await countAfter(true, 6);
});
