import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { HandleEvents, InboundOutcome } from '../../commands/inbound/handle-events.ts';
import type { InboundMessage } from '../../commands/inbound/inbound-event.ts';
import type { NewInboxDeadLetter } from '../../commands/inbound/inbox-dead-letters.ts';
import { pause } from '../../commands/pause.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import { chunksOf } from './chunks-of.ts';
import type { DeadLetterTopics } from './dead-letter-topics.ts';
import { type TopicMessage, toInboundMessage } from './inbox-message.ts';
import { MessageComplaints } from './message-complaints.ts';
import { PendingRetries } from './pending-retries.ts';

export interface InboxConsumerOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Where a group begins that has never been here. */
  readonly start: 'earliest' | 'latest';
  readonly handle: HandleEvents;
  readonly deadLetters: Pick<DeadLetterTopics, 'add'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Pauses before a message that failed is tried again. Default 1, 2 and 4 s. */
  readonly retryMs?: readonly number[] | undefined;
  /** Waits, but no longer than until the signal aborts. Default: by the clock of the process. */
  readonly wait?: typeof pause | undefined;
}

const RETRY_MS = [1_000, 2_000, 4_000] as const;
const SESSION_MS = 15_000;
const HEARTBEAT_MS = 3_000;
const PARTITIONS_AT_ONCE = 3;
/** Of a partition; then it waits for them. */
const MOST_PENDING = 1_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

interface Chunk {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly KafkaMessage[];
}

/**
 * Reads the topics of one group until the signal aborts. Rejects when the connection or the group gives up: the caller
 * starts it again. Offsets are committed after the effects, so a crash in between repeats messages that the ledger knows.
 */
export class InboxConsumer {
  readonly #options: InboxConsumerOptions;
  readonly #pending = new Map<string, PendingRetries>();
  readonly #complaints: MessageComplaints;

  constructor(options: InboxConsumerOptions) {
    this.#options = options;
    this.#complaints = new MessageComplaints(options.logger);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { kafka, groupId, topics, start } = this.#options;
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 250,
      metadataMaxAge: 30_000,
      // Its own restarts have pauses of half a minute; ours are short.
      retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000, restartOnFailure: async () => false },
    });
    const crashed = Promise.withResolvers<never>();
    crashed.promise.catch(() => undefined);
    consumer.on(consumer.events.CRASH, ({ payload }) => crashed.reject(payload.error));
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#assigned(payload.memberAssignment));
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: start === 'earliest' });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: (payload) => this.#batch(consumer, payload, stop),
      });
      await Promise.race([crashed.promise, aborted(signal)]);
    } finally {
      ended.abort();
      this.#pending.clear();
      this.#complaints.close();
      await consumer.disconnect().catch(() => undefined);
    }
  }

  async #batch(
    consumer: Consumer,
    { batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload,
    signal: AbortSignal,
  ): Promise<void> {
    const { topic, partition } = batch;
    const first = batch.messages[0]?.offset;
    if (first === undefined) {
      resolveOffset(batch.lastOffset());
      return;
    }
    const pending = this.#pendingOf(topic, partition, BigInt(first));
    for (const messages of chunksOf(batch)) {
      if (!isRunning() || isStale() || signal.aborted) return;
      await withHeartbeats(heartbeat, async () => {
        await pending.below(MOST_PENDING);
        await this.#chunk(consumer, { topic, partition, messages }, pending, signal);
      });
      if (signal.aborted) return;
      const last = messages.at(-1)?.offset ?? batch.lastOffset();
      pending.reached(BigInt(last) + 1n);
      resolveOffset(last);
      await commit(consumer, topic, partition, pending);
      await heartbeat();
    }
  }

  async #chunk(
    consumer: Consumer,
    { topic, partition, messages }: Chunk,
    pending: PendingRetries,
    signal: AbortSignal,
  ): Promise<void> {
    const { deadLetters, metrics, logger } = this.#options;
    const read = messages.flatMap((message) => {
      const inbound = pending.has(BigInt(message.offset))
        ? undefined
        : toInboundMessage(topic, partition, message);
      return inbound ? [{ inbound, offset: message.offset }] : [];
    });
    const outcomes = await this.#handle(
      read.map(({ inbound }) => inbound),
      signal,
    );
    if (!outcomes) return;
    const letters: NewInboxDeadLetter[] = [];
    read.forEach(({ inbound, offset }, index) => {
      const outcome = outcomes[index];
      if (!outcome || outcome.kind === 'done') return;
      const place = { inbound, partition, offset };
      if (outcome.kind === 'failed') {
        const retry = this.#retry(place, outcome, signal);
        void pending.add(BigInt(offset), retry).then(() => {
          if (!signal.aborted) return commit(consumer, topic, partition, pending);
        });
      } else if (outcome.discard) {
        metrics.count('inbox_discarded_total', 1, { topic });
        const { code, faults } = outcome.error;
        this.#complaints.add('inbox.messages_discarded', code, { topic, partition, offset }, { faults });
      } else letters.push(this.#letter(place, outcome, 1));
    });
    if (letters.length === 0) return;
    metrics.count('inbox_dead_letters_total', letters.length, { topic, reason: 'invalid' });
    logger.warn({ topic, partition, messages: letters.length }, 'inbox.messages_invalid');
    await this.#untilDone(() => deadLetters.add(letters, signal), signal);
  }

  async #retry(place: Place, first: Failed, signal: AbortSignal): Promise<void> {
    const { retryMs = RETRY_MS, wait = pause, deadLetters, metrics } = this.#options;
    const { inbound, partition, offset } = place;
    const { topic } = inbound;
    let outcome: InboundOutcome = first;
    for (const pauseMs of retryMs) {
      await wait(pauseMs, signal);
      if (signal.aborted) return;
      metrics.count('inbox_retries_total', 1, { topic });
      outcome = (await this.#handle([inbound], signal))?.[0] ?? outcome;
      if (outcome.kind !== 'failed') break;
    }
    if (signal.aborted || outcome.kind === 'done') return;
    const letter = this.#letter(place, outcome, retryMs.length + 1);
    metrics.count('inbox_dead_letters_total', 1, { topic, reason: outcome.kind });
    const { error } = outcome;
    const reason = 'code' in error ? String(error.code) : error.name;
    this.#complaints.add('inbox.messages_failed', reason, { topic, partition, offset }, { err: error });
    await this.#untilDone(() => deadLetters.add([letter], signal), signal);
  }

  /** undefined: told to stop before it was done. */
  async #handle(messages: readonly InboundMessage[], signal: AbortSignal) {
    if (messages.length === 0) return [];
    const { groupId, handle, metrics } = this.#options;
    const actor = { id: groupId, auth: 'system' } as const;
    const startedAt = performance.now();
    const outcomes = await this.#untilDone(() => handle(messages, { actor }), signal);
    metrics.observe('inbox_batch_seconds', (performance.now() - startedAt) / 1_000);
    return outcomes;
  }

  /** Trouble with the database makes a partition wait: it says nothing about a message. */
  async #untilDone<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result | undefined> {
    const { logger, groupId } = this.#options;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await work();
      } catch (err) {
        logger.warn({ err, groupId }, 'inbox.waits');
        await pause(pauseMs, signal);
      }
    }
    return undefined;
  }

  #letter({ inbound, partition, offset }: Place, { kind, error, tenantId }: Bad, attempts: number) {
    return {
      topic: inbound.topic,
      partition,
      offset,
      groupId: this.#options.groupId,
      tenantId: tenantId ?? null,
      key: inbound.key,
      value: inbound.value,
      headers: inbound.headers,
      sentAt: inbound.sentAt,
      reason: kind,
      error: error.message,
      stack: error.stack ?? null,
      faults: 'faults' in error ? error.faults : null,
      attempts,
    } satisfies NewInboxDeadLetter;
  }

  #assigned(assignment: Readonly<Record<string, readonly number[]>>): void {
    const kept = new Set(
      Object.entries(assignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => nameOf(topic, partition)),
      ),
    );
    for (const [name, pending] of this.#pending) {
      if (kept.has(name)) continue;
      pending.lost = true;
      this.#pending.delete(name);
    }
  }

  #pendingOf(topic: string, partition: number, first: bigint): PendingRetries {
    const name = nameOf(topic, partition);
    const known = this.#pending.get(name) ?? new PendingRetries(first);
    this.#pending.set(name, known);
    return known;
  }
}

const nameOf = (topic: string, partition: number): string => `${partition} ${topic}`;

interface Place {
  readonly inbound: TopicMessage;
  readonly partition: number;
  readonly offset: string;
}
type Failed = InboundOutcome & { readonly kind: 'failed' };
type Bad = Failed | (InboundOutcome & { readonly kind: 'invalid' });

/** A commit that fails is made up for by the next one, or by reading again. */
async function commit(
  consumer: Consumer,
  topic: string,
  partition: number,
  pending: PendingRetries,
): Promise<void> {
  if (pending.lost) return;
  const offset = String(pending.committable);
  await consumer.commitOffsets([{ topic, partition, offset }]).catch(() => undefined);
}

/** The group must hear of us while we are at work; what it has to say comes with the next heartbeat. */
async function withHeartbeats(heartbeat: () => Promise<void>, work: () => Promise<void>): Promise<void> {
  const timer = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}
