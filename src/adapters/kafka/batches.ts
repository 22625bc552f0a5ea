import type { FeedMessage } from './feed-message.ts';

/** A message on its way, with what is needed to say where it came from. */
export interface Outgoing extends FeedMessage {
  readonly partition: number;
  readonly bytes: number;
}

/** Messages of one partition that travel together, in order. */
export interface Batch<Message extends Outgoing = Outgoing> {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly Message[];
}

/** Brokers bound a batch by bytes: 1 MiB unless configured otherwise, its own overhead included. */
const MOST_BYTES = 900_000;
/** kafkajs copies a batch once for each of its messages. */
const MOST_MESSAGES = 500;

/** Batches of each partition, in order; only a message that is larger by itself makes a larger batch. */
export function batchesByPartition<Message extends Outgoing>(
  messages: readonly Message[],
): readonly (readonly Batch<Message>[])[] {
  const lanes = new Map<string, Lane<Message>>();
  for (const message of messages) {
    const { topic, partition, bytes } = message;
    const name = `${partition} ${topic}`;
    let lane = lanes.get(name);
    if (!lane) {
      lane = { batches: [], open: [], bytes: 0 };
      lanes.set(name, lane);
    }
    const isFull = lane.bytes + bytes > MOST_BYTES || lane.open.length === MOST_MESSAGES;
    if (lane.open.length === 0 || isFull) {
      lane.open = [];
      lane.bytes = 0;
      lane.batches.push({ topic, partition, messages: lane.open });
    }
    lane.open.push(message);
    lane.bytes += bytes;
  }
  return [...lanes.values()].map(({ batches }) => batches);
}

/** The first and the second half. */
export function halves<Message extends Outgoing>(batch: Batch<Message>): readonly Batch<Message>[] {
  const middle = Math.ceil(batch.messages.length / 2);
  return [batch.messages.slice(0, middle), batch.messages.slice(middle)].map((messages) => ({
    ...batch,
    messages,
  }));
}

interface Lane<Message extends Outgoing> {
  readonly batches: Batch<Message>[];
  open: Message[];
  bytes: number;
}
