import type { Producer } from 'kafkajs';
import { pause } from '../../commands/pause.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import { type Batch, batchesByPartition, halves, type Outgoing } from './batches.ts';
import { type SendProblem, sendProblem, UnsentError } from './send-error.ts';

export interface FeedProducerOptions {
  /** A fresh, idempotent producer that is not connected yet. */
  readonly create: () => Producer;
  /** Told of every failed try, and with undefined once it works again. */
  readonly trouble: (error: unknown) => void;
  /** Makes topics that have vanished again, and looks at the partitions of all. */
  readonly restoreTopics: () => Promise<void>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The broker will not have this message, now or later. */
export interface Refused<Message extends Outgoing> {
  readonly message: Message;
  readonly error: Error;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const LONGEST_FAREWELL_MS = 3_000;
/** More than this is worth a request for each partition, several of them under way. */
const MOST_TOGETHER = 200;
const MOST_BYTES_TOGETHER = 500_000;
/** A producer that has not worked for so many tries is replaced, in case it is its own fault. */
const TRIES_OF_A_PRODUCER = 15;
const MISSING: ReadonlySet<SendProblem> = new Set(['topic_missing', 'partition_missing']);

/**
 * Writes messages so that those of a partition keep their order whatever happens: one request under way for each
 * partition, and the same batch again until it is acknowledged. A batch that is repeated by the producer that sent it is
 * written once; after a change of producers, or when one broker of several failed, it may be there twice. kafkajs leaves
 * partitions out without a word when their leaders move between its tries, so what it answers is looked through.
 */
export class FeedProducer {
  readonly #options: FeedProducerOptions;
  #producer: Promise<Producer> | undefined;
  /** Counts failures of the whole; see #recover. */
  #round = 0;
  #failures = 0;
  #failuresOfProducer = 0;

  constructor(options: FeedProducerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all messages are acknowledged, but for those it answers: they were refused for good. Rejects only when
   * the signal aborts; what had been written by then stays written.
   */
  async publish<Message extends Outgoing>(
    messages: readonly Message[],
    signal: AbortSignal,
  ): Promise<readonly Refused<Message>[]> {
    const refused: Refused<Message>[] = [];
    const partitions = batchesByPartition(messages);
    if (isLittle(messages) && (await this.#together(partitions.flat(), signal))) return refused;
    const lanes = partitions.map(async (batches) => {
      for (const batch of batches) refused.push(...(await this.#deliver(batch, signal)));
    });
    // A request under way may take its time to fail; who is told to stop does not wait for it.
    await Promise.race([Promise.all(lanes), rejectionOn(signal, Promise.allSettled(lanes))]);
    return refused;
  }

  async close(): Promise<void> {
    await this.#replace();
  }

  /**
   * What is live is a message here and there: in one request they cost a tenth. False when that failed, with nothing
   * known about any of them: each partition's batch is delivered by itself then, and the broker recognises what it has.
   */
  async #together(batches: readonly Batch[], signal: AbortSignal): Promise<boolean> {
    if (batches.length < 2) return false;
    signal.throwIfAborted();
    const producer = this.#connected();
    const round = this.#round;
    try {
      await send(await producer, batches);
      this.#worked();
      return true;
    } catch (error) {
      if (sendProblem(error) !== 'refused') await this.#recover(round, error, signal);
      return false;
    }
  }

  async #deliver<Message extends Outgoing>(
    batch: Batch<Message>,
    signal: AbortSignal,
  ): Promise<readonly Refused<Message>[]> {
    for (;;) {
      signal.throwIfAborted();
      const producer = this.#connected();
      const round = this.#round;
      try {
        await send(await producer, [batch]);
        this.#worked();
        return [];
      } catch (error) {
        if (sendProblem(error) === 'refused') return this.#refused(batch, error, signal);
        await this.#recover(round, error, signal);
      }
    }
  }

  /** The broker refuses batches as a whole: the message that it is about is found by halving. */
  async #refused<Message extends Outgoing>(
    batch: Batch<Message>,
    error: unknown,
    signal: AbortSignal,
  ): Promise<readonly Refused<Message>[]> {
    const [only, another] = batch.messages;
    if (only && !another) return [{ message: only, error: asError(error) }];
    const refused: Refused<Message>[] = [];
    for (const half of halves(batch)) refused.push(...(await this.#deliver(half, signal)));
    return refused;
  }

  async #recover(round: number, error: unknown, signal: AbortSignal): Promise<void> {
    const { logger, metrics, trouble, restoreTopics } = this.#options;
    const problem = sendProblem(error);
    // What was under way at the time fails along with the first: that is one failure.
    if (round === this.#round) {
      this.#round += 1;
      this.#failures += 1;
      this.#failuresOfProducer += 1;
      metrics.count('forwarder_failures_total', 1, { problem });
      logger.warn({ err: error, problem, attempts: this.#failures }, 'kafka.send_failed');
      trouble(error);
      if (problem === 'producer_spent' || this.#failuresOfProducer >= TRIES_OF_A_PRODUCER) {
        await this.#replace();
      }
    }
    await pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 10)), signal);
    if (MISSING.has(problem) && !signal.aborted) await restoreTopics().catch(trouble);
  }

  #worked(): void {
    if (this.#failures > 0) this.#options.trouble(undefined);
    this.#failures = 0;
    this.#failuresOfProducer = 0;
  }

  #connected(): Promise<Producer> {
    if (!this.#producer) {
      const producer = connected(this.#options.create());
      this.#producer = producer;
      this.#failuresOfProducer = 0;
      // One that never connected is of no use to anybody.
      producer.catch(() => {
        if (this.#producer === producer) this.#failuresOfProducer = TRIES_OF_A_PRODUCER;
      });
    }
    return this.#producer;
  }

  async #replace(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    const gone = producer?.then((open) => open.disconnect()).catch(() => undefined);
    // What it still has under way should not arrive after what the next one sends.
    await Promise.race([gone, pause(LONGEST_FAREWELL_MS, new AbortController().signal)]);
  }
}

async function rejectionOn(signal: AbortSignal, done: Promise<unknown>): Promise<void> {
  const settled = new AbortController();
  const finished = done.then(() => settled.abort());
  const aborted = Promise.withResolvers<void>();
  const onAbort = () => aborted.resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  await Promise.race([aborted.promise, finished]);
  signal.removeEventListener('abort', onAbort);
  if (!settled.signal.aborted) signal.throwIfAborted();
}

async function connected(producer: Producer): Promise<Producer> {
  try {
    await producer.connect();
    return producer;
  } catch (error) {
    await producer.disconnect().catch(() => undefined);
    throw error;
  }
}

async function send(producer: Producer, batches: readonly Batch[]): Promise<void> {
  const topics = Map.groupBy(batches, ({ topic }) => topic);
  const topicMessages = [...topics].map(([topic, own]) => ({
    topic,
    messages: own.flatMap(({ partition, messages }) =>
      messages.map(({ key, value, headers }) => ({ key, value, headers, partition })),
    ),
  }));
  const answers = await producer.sendBatch({ acks: -1, topicMessages });
  const written = new Set(answers.map(({ topicName, partition }) => `${partition} ${topicName}`));
  const left = batches.find(({ topic, partition }) => !written.has(`${partition} ${topic}`));
  if (left) throw new UnsentError(left.topic, left.partition);
}

function isLittle(messages: readonly Outgoing[]): boolean {
  if (messages.length > MOST_TOGETHER) return false;
  return messages.reduce((sum, { bytes }) => sum + bytes, 0) <= MOST_BYTES_TOGETHER;
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
