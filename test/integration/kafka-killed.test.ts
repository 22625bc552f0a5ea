import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectOrder } from '../support/feed-order.ts';
import { feedSetUp } from '../support/feed-set-up.ts';
import { appendInTurn, PUBLIC_EVENTS_OF_A_JOB as EVENTS, forwarding } from '../support/forwarding.ts';
import { readFeed } from '../support/kafka-reader.ts';
import { type KafkaServer, startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const skip = whyNoKafka() !== undefined;
const TENANTS = ['a', 'b', 'c'];
let kafka: KafkaServer;

beforeAll(async () => {
  if (!skip) kafka = await startKafka();
}, 300_000);

afterAll(async () => {
  await kafka?.[Symbol.asyncDispose]();
});

describe.skipIf(skip)('the feed to Kafka', { timeout: 300_000 }, () => {
  it('loses and reorders nothing when the broker is killed under load, and goes on by itself', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await using _forwarder = forwarding(set);
    const append = (from: number, to: number) =>
      Promise.all(TENANTS.map((tenant) => appendInTurn(set.log, tenant, from, to)));
    await append(0, 50);
    await set.caughtUp();
    const underLoad = append(50, 300);
    await kafka.kill();
    await underLoad;
    const state = await waitUntil(
      'the status says what is wrong',
      async () => {
        const found = await set.status.read();
        return found.status === 'retrying' ? found : undefined;
      },
      { timeoutMs: 60_000 },
    );
    expect(state.lastError?.message).toMatch(/connect|connection/i);
    expect(state.lagEvents).toBeGreaterThan(0);
    await kafka.start();
    expect(await set.caughtUp()).toMatchObject({ status: 'live', lastError: null, undelivered: 0 });
    await using reader = await readFeed(kafka.brokers, set.prefix);
    const messages = await reader.distinct(TENANTS.length * 300 * EVENTS);
    expectOrder(messages, TENANTS, 300);
  });

  it('waits for a broker that is not there yet', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await kafka.stop();
    await appendInTurn(set.log, 'a', 0, 5);
    await using _forwarder = forwarding(set);
    await waitUntil('it tries', async () => (await set.status.read()).lastError !== null, {
      timeoutMs: 60_000,
    });
    await kafka.start();
    await set.caughtUp();
    await using reader = await readFeed(kafka.brokers, set.prefix);
    expectOrder(await reader.distinct(5 * EVENTS), ['a'], 5);
  });

  it('is taken over without a gap when the process that forwards is killed', async () => {
    await using set = await feedSetUp(kafka.brokers);
    const settings = {
      DATABASE_URL: set.url,
      ROLES: 'forwarder',
      KAFKA_BROKERS: kafka.brokers.join(','),
      KAFKA_TOPIC_PREFIX: set.prefix,
      KAFKA_TOPIC_PARTITIONS: '3',
    };
    await using one = await startServer(settings);
    await using two = await startServer(settings);
    const leaderPid = async () => Number((await set.status.read()).leader?.split(':').at(-1) ?? 0);
    const first = await waitUntil('one of them leads', leaderPid, { timeoutMs: 60_000 });
    const [leader, other] = first === one.pid ? [one, two] : [two, one];
    await appendInTurn(set.log, 'a', 0, 30);
    const underLoad = appendInTurn(set.log, 'a', 30, 150);
    await leader.end('SIGKILL');
    await underLoad;
    await waitUntil('the other one leads', async () => (await leaderPid()) === other.pid, {
      timeoutMs: 60_000,
    });
    await set.caughtUp();
    await using reader = await readFeed(kafka.brokers, set.prefix);
    expectOrder(await reader.distinct(150 * EVENTS), ['a'], 150);
  });
});
