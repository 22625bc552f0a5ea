import { expect, it } from 'vitest';
import { createDatabase } from '../support/database.ts';
import { startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { startProgram } from '../support/program.ts';
import { apiKey, clientOf, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const ORDERS = 25;

it.skipIf(whyNoKafka() !== undefined)(
  'the orders example makes one job of every order, and says on Kafka what became of it',
  { timeout: 400_000 },
  async () => {
    await using kafka = await startKafka();
    await using database = await createDatabase();
    const KAFKA_BROKERS = kafka.brokers.join();
    await using server = await startServer({
      DATABASE_URL: database.url,
      KAFKA_BROKERS,
      SUBSCRIPTIONS_FILE: 'examples/orders/subscriptions.json',
    });
    const JOBS_API_KEY = await apiKey(database.pool, ['dev']);
    const env = { KAFKA_BROKERS, JOBS_API_KEY, JOBS_URL: server.url };
    await using _worker = startProgram('examples/orders/fulfil.ts', [], env);
    for (let run = 0; run < 2; run += 1) {
      const service = startProgram('examples/orders/order-service.ts', [String(ORDERS)], env);
      expect(await service.ended, service.output()).toBe(0);
    }
    const client = clientOf(server.url, JOBS_API_KEY);
    const completed = async () => (await client.list({ status: ['completed'], limit: 200 })).data.length;
    await waitUntil('the orders are fulfilled', async () => (await completed()) >= ORDERS, LONG);

    await using results = startProgram('examples/orders/results.ts', [], env);
    // The same event may come again; another one of the same order may not.
    const lines = () => {
      const whole = results.output().split('\n').slice(0, -1);
      return [...new Set(whole.filter((line) => line.startsWith('evt-')))];
    };
    await waitUntil('the results have come', () => lines().length >= ORDERS, LONG);
    const orders = lines().map(
      (line) => (JSON.parse(line.slice(line.indexOf('{'))) as { order_id: string }).order_id,
    );
    expect(orders.toSorted()).toEqual(Array.from({ length: ORDERS }, (_, n) => `o-${n + 1}`).toSorted());

    const operator = clientOf(server.url, await apiKey(database.pool, '*'));
    const isRead = async () => {
      const [group] = await operator.inbound.consumers();
      return group?.lag === 0 ? group : undefined;
    };
    const group = await waitUntil('everything is read', isRead, LONG);
    expect(group).toMatchObject({ groupId: 'eventzr-jobs-shop-order-placed', state: 'ok' });
    expect(await completed()).toBe(ORDERS);
  },
);

const LONG = { timeoutMs: 150_000 };
