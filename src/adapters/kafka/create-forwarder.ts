import { createFeedProducer, createKafka } from './connect.ts';
import { Forwarder, type ForwarderOptions } from './forwarder.ts';
import type { KafkaOptions } from './options.ts';

/** The forwarder to a real cluster. Connects to nothing before it runs. */
export function createForwarder({
  kafka,
  ...deps
}: Omit<ForwarderOptions, 'kafka' | 'createAdmin' | 'createProducer'> & {
  readonly kafka: KafkaOptions;
}): Forwarder {
  const client = createKafka(kafka.connection, deps.logger);
  return new Forwarder({
    ...deps,
    kafka,
    createAdmin: () => client.admin(),
    createProducer: () => createFeedProducer(client),
  });
}
