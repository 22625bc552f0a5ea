import type { EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { afterEach, expect, it, vi } from 'vitest';
import { InboxConsumer } from '../../src/adapters/kafka/inbox-consumer.ts';
import type { InboundOutcome } from '../../src/commands/inbound/handle-events.ts';
import { InvalidMessageError } from '../../src/commands/inbound/inbound-event.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import { waitUntil } from '../support/wait-until.ts';

/** A group that hands one batch of partition 0 of the topic `orders` to whoever runs, and notes what is committed. */
function oneBatch(firstOffset: number, values: readonly string[]) {
  const messages = values.map(
    (value, index) =>
      ({
        key: null,
        value: Buffer.from(value),
        timestamp: '0',
        offset: String(firstOffset + index),
      }) as KafkaMessage,
  );
  const batch = { topic: 'orders', partition: 0, messages, lastOffset: () => messages.at(-1)?.offset ?? '' };
  const payload = {
    batch,
    resolveOffset() {},
    async heartbeat() {},
    isRunning: () => true,
    isStale: () => false,
  } as unknown as EachBatchPayload;
  const commits: number[] = [];
  const nothing = async () => {};
  const consumer = {
    events: {},
    on() {},
    connect: nothing,
    subscribe: nothing,
    disconnect: nothing,
    run: ({ eachBatch }: { eachBatch: (given: EachBatchPayload) => Promise<void> }) => eachBatch(payload),
    commitOffsets: async ([place]: readonly { offset: string }[]) => {
      commits.push(Number(place?.offset));
    },
  };
  return { kafka: { consumer: () => consumer } as unknown as Kafka, commits };
}

afterEach(() => void vi.useRealTimers());

const DONE: InboundOutcome = { kind: 'done', accepted: 1, duplicates: 0, ignored: 0 };

it('commits nothing before the first message it has read, however soon a retry is over', async () => {
  const { kafka, commits } = oneBatch(100, ['fails once', 'invalid']);
  const aside = Promise.withResolvers<void>();
  let tries = 0;
  const consumer = new InboxConsumer({
    kafka,
    groupId: 'group',
    topics: ['orders'],
    start: 'earliest',
    handle: async (messages) => {
      tries += 1;
      if (tries > 1) return [DONE];
      expect(messages).toHaveLength(2);
      return [
        { kind: 'failed', error: new Error('not yet'), tenantId: 'acme' },
        { kind: 'invalid', error: new InvalidMessageError([]), discard: false, tenantId: undefined },
      ];
    },
    deadLetters: { add: () => aside.promise },
    logger: noLogger,
    metrics: noMetrics,
    wait: async () => {},
  });
  const stop = new AbortController();
  const running = consumer.run(stop.signal);
  await waitUntil('the retry is over', () => commits.length > 0);
  aside.resolve();
  await waitUntil('all is committed', () => commits.includes(102));
  stop.abort();
  await running;
  expect(commits.filter((offset) => offset < 100)).toEqual([]);
});

it('says once why messages fail, then how many there were', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const lines: [fields: object, event: string][] = [];
  const warn = (fields: object, event: string) => void lines.push([fields, event]);
  const { kafka, commits } = oneBatch(0, new Array<string>(300).fill('suspended'));
  const error = Object.assign(new Error('enqueue for acme: tenant_suspended'), { code: 'tenant_suspended' });
  const consumer = new InboxConsumer({
    kafka,
    groupId: 'group',
    topics: ['orders'],
    start: 'earliest',
    handle: async (messages) => messages.map(() => ({ kind: 'failed', error, tenantId: 'acme' })),
    deadLetters: { add: async () => undefined },
    logger: { ...noLogger, warn },
    metrics: noMetrics,
    wait: async () => {},
  });
  const stop = new AbortController();
  const running = consumer.run(stop.signal);
  await waitUntil('all are put aside', () => commits.includes(300));
  const about = { topic: 'orders', reason: 'tenant_suspended' };
  const first = [{ ...about, err: error, partition: 0, offset: '0', messages: 1 }, 'inbox.messages_failed'];
  expect(lines).toEqual([first]);
  vi.advanceTimersByTime(5_000);
  const others = [{ ...about, partition: 0, offset: '299', messages: 299 }, 'inbox.messages_failed'];
  expect(lines).toEqual([first, others]);
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(2);
  stop.abort();
  await running;
  expect(vi.getTimerCount()).toBe(0);
});
