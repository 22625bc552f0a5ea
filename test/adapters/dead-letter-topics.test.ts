import type { ITopicConfig, Kafka, ProducerRecord } from 'kafkajs';
import { expect, it } from 'vitest';
import { DeadLetterTopics } from '../../src/adapters/kafka/dead-letter-topics.ts';
import type { InboxDeadLetter, InboxDeadLetters } from '../../src/commands/inbound/inbox-dead-letters.ts';
import { noLogger } from '../../src/commands/telemetry.ts';

const letter = (id: string) =>
  ({
    id,
    topic: 'orders',
    value: Buffer.from(id),
    headers: {},
    error: '',
    stack: null,
    faults: null,
    sentAt: 0,
    failedAt: 0,
  }) as unknown as InboxDeadLetter;

/** A broker that finds some messages too large. */
function broker(tooLarge: readonly string[]) {
  const sent: string[] = [];
  const created: ITopicConfig[] = [];
  const nothing = async () => {};
  const kafka = {
    admin: () => ({
      connect: nothing,
      disconnect: nothing,
      listTopics: async () => [],
      createTopics: async ({ topics }: { topics: ITopicConfig[] }) => void created.push(...topics),
    }),
    producer: () => ({
      connect: nothing,
      disconnect: nothing,
      send: async ({ messages: [message] }: ProducerRecord) => {
        const text = String(message?.value);
        if (tooLarge.includes(text))
          throw Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });
        sent.push(text);
      },
    }),
  };
  return { kafka: kafka as unknown as Kafka, sent, created };
}

it('go on with the next message when the broker finds one too large', async () => {
  const { kafka, sent, created } = broker(['b']);
  const published: string[] = [];
  const store = {
    add: async () => ['a', 'b', 'c'].map(letter),
    published: async (ids: readonly string[]) => void published.push(...ids),
  } as unknown as InboxDeadLetters;
  const topics = { create: true, replication: 1, retentionMs: 1 };
  const deadLetters = new DeadLetterTopics({ kafka, topics, store, logger: noLogger });
  await deadLetters.add([], new AbortController().signal);
  expect(sent).toEqual(['a', 'c']);
  expect(published).toEqual(['a', 'c']);
  // A message may be as large as its own topic allows, and gets headers here.
  expect(created[0]?.configEntries).toContainEqual({ name: 'max.message.bytes', value: '2097152' });
});
