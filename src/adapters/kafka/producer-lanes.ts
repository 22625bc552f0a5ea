import type { Outgoing } from './batches.ts';
import { FeedProducer, type FeedProducerOptions, type Refused } from './feed-producer.ts';

/**
 * Several producers side by side, because an idempotent producer of kafkajs has one request under way for each broker,
 * whatever the partition. A partition always belongs to the same one, so its messages keep their order.
 */
export class ProducerLanes {
  readonly #producers: readonly FeedProducer[];
  readonly #topics = new Map<string, number>();

  constructor(options: FeedProducerOptions, lanes: number) {
    this.#producers = Array.from({ length: lanes }, () => new FeedProducer(options));
  }

  /** As FeedProducer's. */
  async publish<Message extends Outgoing>(
    messages: readonly Message[],
    signal: AbortSignal,
  ): Promise<readonly Refused<Message>[]> {
    const lanes = new Map<FeedProducer, Message[]>();
    for (const message of messages) {
      const producer = this.#producerOf(message);
      const lane = lanes.get(producer);
      if (lane) lane.push(message);
      else lanes.set(producer, [message]);
    }
    const refused = await Promise.all([...lanes].map(([producer, lane]) => producer.publish(lane, signal)));
    return refused.flat();
  }

  async close(): Promise<void> {
    await Promise.all(this.#producers.map((producer) => producer.close()));
  }

  #producerOf({ topic, partition }: Outgoing): FeedProducer {
    let number = this.#topics.get(topic);
    if (number === undefined) {
      number = this.#topics.size;
      this.#topics.set(topic, number);
    }
    const producer = this.#producers[(number + partition) % this.#producers.length];
    if (!producer) throw new Error('a forwarder needs a producer');
    return producer;
  }
}
