import type { Producer, ProducerBatch, RecordMetadata } from 'kafkajs';
import { expect, it } from 'vitest';
import { FeedProducer } from '../../src/adapters/kafka/feed-producer.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';

/** Partitions and values of a request. */
type Request = readonly string[];
type Answer = (request: Request) => 'all' | 'one less' | Error;

/** A producer that answers as the test says, and what it was asked. */
function producing(answer: Answer) {
  const requests: Request[] = [];
  const producer = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    async sendBatch({ topicMessages = [] }: ProducerBatch): Promise<RecordMetadata[]> {
      const sent = topicMessages.flatMap(({ topic, messages }) =>
        messages.map(({ partition = 0, value }) => ({ topic, partition, value })),
      );
      const request = sent.map(({ topic, partition, value }) => `${topic}/${partition}:${value}`);
      requests.push(request);
      const kind = answer(request);
      if (kind instanceof Error) throw kind;
      const answered = sent.map(({ topic, partition }) => ({ topicName: topic, partition, errorCode: 0 }));
      return kind === 'all' ? answered : answered.slice(1);
    },
  } as unknown as Producer;
  const troubles: unknown[] = [];
  const feed = new FeedProducer({
    create: () => producer,
    trouble: (error) => troubles.push(error),
    restoreTopics: async () => undefined,
    logger: noLogger,
    metrics: noMetrics,
  });
  return { feed, requests, troubles };
}

const message = (partition: number, value: string, bytes = 100) => ({
  topic: 't',
  key: 'k',
  value,
  headers: {},
  partition,
  bytes,
});

const signal = new AbortController().signal;

it('sends a little for several partitions in one request', async () => {
  const { feed, requests } = producing(() => 'all');
  expect(await feed.publish([message(0, 'a'), message(1, 'b'), message(0, 'c')], signal)).toEqual([]);
  expect(requests).toEqual([['t/0:a', 't/0:c', 't/1:b']]);
});

it('sends much partition by partition', async () => {
  const { feed, requests } = producing(() => 'all');
  await feed.publish([message(0, 'a', 400_000), message(1, 'b', 400_000)], signal);
  expect(requests).toEqual([['t/0:a'], ['t/1:b']]);
});

it('takes a partition that was left out without a word for one that was not sent', async () => {
  const { feed, requests, troubles } = producing((request) => (request.length > 1 ? 'one less' : 'all'));
  await feed.publish([message(0, 'a'), message(1, 'b')], signal);
  expect(requests).toEqual([['t/0:a', 't/1:b'], ['t/0:a'], ['t/1:b']]);
  expect(troubles).toEqual([
    expect.objectContaining({ message: expect.stringMatching(/partition 0 of t/) }),
    undefined,
  ]);
});

it('finds the message that the broker refuses among those that went together', async () => {
  const tooLarge = Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });
  const { feed, requests } = producing((request) =>
    request.some((one) => one.endsWith('X')) ? tooLarge : 'all',
  );
  const refused = await feed.publish([message(0, 'a'), message(1, 'X'), message(1, 'b')], signal);
  expect(refused.map((one) => one.message.value)).toEqual(['X']);
  expect(requests.filter((request) => !request.some((one) => one.endsWith('X')))).toEqual([
    ['t/0:a'],
    ['t/1:b'],
  ]);
});
