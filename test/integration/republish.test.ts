import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FEED_TOPICS } from '../../src/adapters/kafka/topics.ts';
import { createRepublicationStore } from '../../src/adapters/postgres/republications.ts';
import { runCli } from '../support/cli.ts';
import { expectOrder, numbersIn } from '../support/feed-order.ts';
import { feedSetUp } from '../support/feed-set-up.ts';
import {
  appendInTurn,
  appendJob,
  PUBLIC_EVENTS_OF_A_JOB as EVENTS,
  forwarding,
} from '../support/forwarding.ts';
import { readFeed } from '../support/kafka-reader.ts';
import { type KafkaServer, startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { republishing } from '../support/republishing.ts';
import { apiKey, clientOf, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const skip = whyNoKafka() !== undefined;
let kafka: KafkaServer;

beforeAll(async () => {
  if (!skip) kafka = await startKafka();
}, 300_000);

afterAll(async () => {
  await kafka?.[Symbol.asyncDispose]();
});

describe.skipIf(skip)('public events sent once more', { timeout: 300_000 }, () => {
  it('come with the ids they had, whole and in order of each tenant, on topics of their own', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await Promise.all(['a', 'b'].map((tenant) => appendInTurn(set.log, tenant, 0, 30)));
    await using _forwarder = forwarding(set);
    await set.caughtUp();
    const published = await written(set.prefix);
    await using again = republishing(set);
    const { id } = await again.start({ topicSuffix: '.again' });
    expect(await again.over(id)).toMatchObject({
      status: 'done',
      found: 60 * EVENTS,
      refused: 0,
      error: null,
    });
    await using live = await readFeed(kafka.brokers, set.prefix);
    await using sent = await readFeed(kafka.brokers, set.prefix, { suffix: '.again' });
    const first = new Map((await live.distinct(60 * EVENTS)).map((message) => [message.id, message]));
    const second = await sent.distinct(60 * EVENTS);
    expect(second).toHaveLength(60 * EVENTS);
    for (const message of second) {
      expect(message).toEqual({ ...first.get(message.id), time: expect.any(Number) });
    }
    expectOrder(second, ['a', 'b'], 30);
    expect(await written(set.prefix)).toBe(published);
  });

  it('are those of one tenant, between two positions, or none in a dry run', async () => {
    await using set = await feedSetUp(kafka.brokers);
    for (let n = 0; n < 10; n += 1) {
      await appendJob(set.log, 'acme', n);
      await appendJob(set.log, 'acme-2', n);
    }
    const { events } = await set.log.readLog(0n, 1_000, { prefixes: ['job-acme.'] });
    const ends = events.filter(({ type }) => type === 'JobCompleted').map(({ position }) => position);
    const order = { tenantId: 'acme', after: ends[2] ?? 0n, to: ends[6] ?? 0n };
    await using again = republishing(set);
    const counted = await again.over((await again.start({ ...order, dryRun: true })).id);
    expect(counted).toMatchObject({ status: 'done', found: 4 * EVENTS, position: order.to });
    await again.over((await again.start({ ...order, topicSuffix: '.some' })).id);
    await using reader = await readFeed(kafka.brokers, set.prefix, { suffix: '.some' });
    const messages = await reader.distinct(4 * EVENTS);
    expect(messages).toHaveLength(4 * EVENTS);
    expect(numbersIn(messages, 'acme')).toEqual([3, 4, 5, 6]);
  });

  it('are those of a time', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await appendInTurn(set.log, 'acme', 0, 3);
    const { events } = await set.log.readLog(0n, 100, { prefixes: ['job-'] });
    const startedAt = Math.max(...events.map(({ recordedAt }) => recordedAt)) + 1;
    await waitUntil('the next millisecond', () => Date.now() > startedAt);
    await appendInTurn(set.log, 'acme', 3, 5);
    await using again = republishing(set);
    const later = await again.over((await again.start({ fromTime: startedAt, dryRun: true })).id);
    const earlier = await again.over((await again.start({ toTime: startedAt, dryRun: true })).id);
    expect([earlier.found, later.found]).toEqual([3 * EVENTS, 2 * EVENTS]);
  });

  it('stop when somebody says so; what is sent stays sent', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await appendInTurn(set.log, 'acme', 0, 10);
    const store = createRepublicationStore(set.pool);
    const sent = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const save: typeof store.save = async (...progress) => {
      sent.resolve();
      await aborted.promise;
      return store.save(...progress);
    };
    await using again = republishing(set, { ...store, save });
    const { id } = await again.start({ topicSuffix: '.stopped' });
    await sent.promise;
    await store.abort(id);
    aborted.resolve();
    expect(await again.over(id)).toMatchObject({ status: 'aborted', found: 0, position: 0n });
    await using reader = await readFeed(kafka.brokers, set.prefix, { suffix: '.stopped' });
    expectOrder(await reader.distinct(10 * EVENTS), ['acme'], 10);
  });

  it('are gone on with by another process when one dies, from what it had saved', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await appendInTurn(set.log, 'acme', 0, 10);
    const store = createRepublicationStore(set.pool);
    const gone = () => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }));
    const dying = republishing(set, { ...store, save: gone });
    const { id } = await dying.start({ topicSuffix: '.twice' });
    await expect(dying.ended).rejects.toThrow('gone');
    expect(await store.take('00000000-0000-7000-8000-000000000001')).toBeUndefined();
    await set.pool.query(`update republications set leased_until = '-infinity'`);
    await using successor = republishing(set);
    expect(await successor.over(id)).toMatchObject({ status: 'done', found: 10 * EVENTS });
    await using reader = await readFeed(kafka.brokers, set.prefix, { suffix: '.twice' });
    await waitUntil('both sends are read', () => reader.messages.length >= 2 * 10 * EVENTS);
    expectOrder(reader.messages, ['acme'], 10);
  });

  it('stop while Kafka is away, too', async () => {
    await using set = await feedSetUp(['127.0.0.1:1']);
    await appendInTurn(set.log, 'acme', 0, 1);
    await using again = republishing(set);
    const { id } = await again.start({});
    await createRepublicationStore(set.pool).abort(id);
    expect(await again.over(id)).toMatchObject({ status: 'aborted', position: 0n });
  });

  it('say which topics are missing where they may not be created, and hold up nothing behind them', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await appendInTurn(set.log, 'acme', 0, 1);
    await using again = republishing(set, undefined, { create: false });
    const { id } = await again.start({ topicSuffix: '.nowhere' });
    const next = await again.start({ dryRun: true });
    expect(await again.over(id)).toMatchObject({
      status: 'failed',
      found: 0,
      error: expect.stringContaining('.nowhere'),
    });
    expect(await again.over(next.id)).toMatchObject({ status: 'done', found: EVENTS });
  });

  it('are asked for with the CLI; rebuilding, verifying and rolling back publish nothing', async () => {
    await using set = await feedSetUp(kafka.brokers);
    await using server = await startServer({
      DATABASE_URL: set.url,
      KAFKA_BROKERS: kafka.brokers.join(','),
      KAFKA_TOPIC_PREFIX: set.prefix,
    });
    const key = await apiKey(set.pool, '*');
    const env = { JOBS_URL: server.url, JOBS_API_KEY: key };
    const tenantKey = await apiKey(set.pool, ['acme']);
    const client = clientOf(server.url, tenantKey);
    for (let n = 0; n < 5; n += 1) await client.enqueue('mail', { n });
    await set.caughtUp();
    await using reader = await readFeed(kafka.brokers, set.prefix);
    await reader.distinct(5);
    const published = await written(set.prefix);
    for (const words of ['rebuild jobs', 'verify jobs', 'rollback jobs', 'rebuild dead-letters']) {
      expect(await runCli(['projections', ...words.split(' ')], { env })).toMatchObject({ code: 0 });
    }
    expect(await written(set.prefix)).toBe(published);
    const refused = await runCli(['events', 'republish', '--from', '0'], {
      env: { ...env, JOBS_API_KEY: tenantKey },
    });
    expect(refused).toMatchObject({ out: '', err: expect.stringMatching(/platform|all tenants/i) });
    const dry = await runCli(['events', 'republish', '--from', '0', '--dry-run'], { env });
    expect(dry).toMatchObject({ code: 0, out: '5 events would be sent\n' });
    const done = await runCli(['events', 'republish', '--from', '0', '--tenant', 'acme', '--json'], { env });
    expect(JSON.parse(done.out)).toMatchObject({ status: 'done', found: 5, refused: 0, done: 1 });
    await waitUntil('they are there twice', () => reader.messages.length >= published + 5);
    expect(new Set(reader.messages.map(({ id }) => id)).size).toBe(5);
  });
});

/** How many messages the topics of the feed have taken. */
async function written(prefix: string): Promise<number> {
  const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const read = FEED_TOPICS.map((topic) =>
    // A topic that nothing was written to yet may be without a leader.
    waitUntil('the topic answers', () => admin.fetchTopicOffsets(`${prefix}${topic}`).catch(() => undefined)),
  );
  const partitions = (await Promise.all(read)).flat();
  await admin.disconnect();
  return partitions.reduce((sum, { high }) => sum + Number(high), 0);
}
