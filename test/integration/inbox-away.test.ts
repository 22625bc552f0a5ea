import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-postgres.ts';
import { type KafkaServer, startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { type Listening, listening } from '../support/listening.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

const skip = whyNoKafka() !== undefined;
const LONG = { timeoutMs: 120_000 };
let kafka: KafkaServer;

beforeAll(async () => {
  if (!skip) kafka = await startKafka();
}, 300_000);

afterAll(async () => {
  await kafka?.[Symbol.asyncDispose]();
});

const subscribe = (set: Listening) =>
  set.subscribe('orders', {
    topic: set.topic,
    tenant: 'acme',
    action: { kind: 'enqueue', type: 'order.fulfil' },
  });

/** Every event twice, so that doubled effects would show. */
const send = async (set: Listening, from: number, to: number) => {
  for (let at = from; at < to; at += 250) {
    const events = Array.from({ length: Math.min(250, to - at) }, (_, n) => ({
      key: `k${at + n}`,
      value: JSON.stringify({
        eventId: `e-${at + n}`,
        timestamp: 1_737_200_000_000,
        type: 'ORDER',
        payload: { n: at + n },
      }),
    }));
    await set.send(...events, ...events);
  }
};

const processed = async ({ database }: Listening): Promise<number> => {
  const { rows } = await database.pool.query<{ count: string }>(
    'select count(*) from eventzr.processed_events',
  );
  return Number(rows[0]?.count);
};

async function expectEachOnce(set: Listening, count: number): Promise<void> {
  const jobs = (await set.jobs('acme')).map((job) => (job as { n: number }).n);
  expect(jobs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
  const { rows } = await set.database.pool.query('select topic from eventzr.inbox_dead_letters');
  expect(rows).toEqual([]);
}

describe.skipIf(skip)('the inbox', { timeout: 300_000 }, () => {
  it('loses and doubles nothing when the broker is killed under load, and goes on by itself', async () => {
    await using set = await listening(kafka.brokers);
    await subscribe(set);
    await send(set, 0, 3_000);
    await set.start();
    await waitUntil('it is under way', async () => (await processed(set)) > 0, { ...LONG, everyMs: 1 });
    await kafka.kill();
    const atKill = await processed(set);
    await kafka.start();
    await waitUntil('it goes on', async () => (await processed(set)) > atKill || atKill === 3_000, LONG);
    await send(set, 3_000, 3_500);
    await waitUntil('all are processed', async () => (await processed(set)) === 3_500, LONG);
    await set.caughtUp();
    await expectEachOnce(set, 3_500);
  });

  it('waits while PostgreSQL is away: no message is put aside, no offset goes ahead of its effects', async () => {
    await using place = await tempFolder();
    const open = () => startEmbeddedPostgres({ dataDir: `${place.path}/data` });
    await using parts = new AsyncDisposableStack();
    let postgres = await open();
    parts.defer(() => postgres.stop());
    await using set = await listening(kafka.brokers, { server: postgres.url });
    set.database.pool.on('error', () => undefined);
    await subscribe(set);
    await send(set, 0, 2_000);
    await set.start();
    await waitUntil('it is under way', async () => (await processed(set)) > 0, { ...LONG, everyMs: 1 });
    await postgres.stop();
    await send(set, 2_000, 2_500);
    const committed = await set.committed();
    const { url } = postgres;
    postgres = await open();
    expect(postgres.url).toBe(url);
    // Each event was sent twice.
    const atStart = await waitUntil(
      'it can be asked again',
      () => processed(set).catch(() => undefined),
      LONG,
    );
    expect(committed).toBeLessThanOrEqual(2 * atStart);
    await waitUntil('all are processed', async () => (await processed(set)) === 2_500, LONG);
    await set.caughtUp();
    await expectEachOnce(set, 2_500);
  });
});
