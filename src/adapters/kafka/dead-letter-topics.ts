import type { Admin, Kafka, Producer } from 'kafkajs';
import type {
  InboxDeadLetter,
  InboxDeadLetters,
  NewInboxDeadLetter,
} from '../../commands/inbound/inbox-dead-letters.ts';
import { pause } from '../../commands/pause.ts';
import type { Logger } from '../../commands/telemetry.ts';
import { DEAD_LETTER_SUFFIX } from './consumer-groups.ts';
import type { TopicOptions } from './options.ts';
import { sendProblem } from './send-error.ts';

export interface DeadLetterTopicsOptions {
  readonly kafka: Kafka;
  readonly topics: Pick<TopicOptions, 'create' | 'replication' | 'retentionMs'>;
  readonly store: InboxDeadLetters;
  readonly logger: Logger;
}

const MOST_TRIES = 5;
const MOST_STACK = 4_000;
/** Twice what topics take by default: messages get longer by what is said of them. */
const MOST_BYTES = 2_097_152;

/**
 * Puts messages aside: first into the store, where a person finds them, then on `{topic}.dlq` for whoever watches that.
 * Once add resolves they are in the store, so their partition can go on; a topic that can't be written is reported.
 */
export class DeadLetterTopics {
  readonly #options: DeadLetterTopicsOptions;
  readonly #known = new Set<string>();
  #producer: Promise<Producer> | undefined;

  constructor(options: DeadLetterTopicsOptions) {
    this.#options = options;
  }

  async add(letters: readonly NewInboxDeadLetter[], signal: AbortSignal): Promise<void> {
    const { store, logger } = this.#options;
    const open = await store.add(letters);
    for (const [topic, own] of Map.groupBy(open, ({ topic }) => `${topic}${DEAD_LETTER_SUFFIX}`)) {
      const sent: string[] = [];
      try {
        for (const letter of own) if (await this.#publish(topic, letter, signal)) sent.push(letter.id);
      } catch (err) {
        logger.error({ err, topic, messages: own.length - sent.length }, 'inbox.dead_letters_unpublished');
      }
      await store
        .published(sent)
        .catch((err: unknown) => logger.warn({ err, topic }, 'inbox.dead_letters_unmarked'));
    }
  }

  async close(): Promise<void> {
    const producer = await this.#producer?.catch(() => undefined);
    this.#producer = undefined;
    await producer?.disconnect().catch(() => undefined);
  }

  /** Each by itself: a batch of large messages would be too large as a whole. False: the broker will never take it. */
  async #publish(topic: string, letter: InboxDeadLetter, signal: AbortSignal): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#ensure(topic);
        const producer = await this.#connected();
        await producer.send({ topic, acks: -1, messages: [toMessage(letter)] });
        return true;
      } catch (error) {
        if (sendProblem(error) === 'refused') {
          this.#options.logger.error({ err: error, topic, id: letter.id }, 'inbox.dead_letter_refused');
          return false;
        }
        if (tries === MOST_TRIES || signal.aborted) throw error;
        this.#known.delete(topic);
        await this.close();
        await pause(100 * 2 ** tries, signal);
      }
    }
  }

  async #ensure(topic: string): Promise<void> {
    if (this.#known.has(topic)) return;
    const { kafka, topics } = this.#options;
    if (topics.create) {
      await withAdmin(kafka, async (admin) => {
        if ((await admin.listTopics()).includes(topic)) return;
        await admin.createTopics({
          waitForLeaders: true,
          topics: [
            {
              topic,
              numPartitions: 1,
              replicationFactor: topics.replication,
              configEntries: [
                { name: 'retention.ms', value: String(topics.retentionMs) },
                { name: 'max.message.bytes', value: String(MOST_BYTES) },
              ],
            },
          ],
        });
      });
    }
    this.#known.add(topic);
  }

  #connected(): Promise<Producer> {
    this.#producer ??= (async () => {
      const producer = this.#options.kafka.producer({ allowAutoTopicCreation: false });
      await producer.connect();
      return producer;
    })();
    return this.#producer;
  }
}

export async function withAdmin<Result>(
  kafka: Kafka,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** The message as it was, with what happened to it in headers of our own. */
function toMessage(letter: InboxDeadLetter) {
  const { topic, partition, offset, sentAt, failedAt, faults, stack } = letter;
  return {
    key: letter.key,
    value: Buffer.from(letter.value),
    headers: {
      ...letter.headers,
      'dlq-id': letter.id,
      'dlq-reason': letter.reason,
      'dlq-error': letter.error.slice(0, MOST_STACK),
      ...(stack !== null && { 'dlq-stack': stack.slice(0, MOST_STACK) }),
      ...(faults !== null && { 'dlq-faults': JSON.stringify(faults.slice(0, 20)) }),
      'dlq-attempts': String(letter.attempts),
      'dlq-group': letter.groupId,
      'dlq-origin-topic': topic,
      'dlq-origin-partition': String(partition),
      'dlq-origin-offset': offset,
      'dlq-origin-time': new Date(sentAt).toISOString(),
      'dlq-failed-at': new Date(failedAt).toISOString(),
    },
  };
}
