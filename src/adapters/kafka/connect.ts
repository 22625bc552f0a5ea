import { Kafka, type SASLOptions } from 'kafkajs';
import type { Logger } from '../../commands/telemetry.ts';
import { mskToken } from './msk-token.ts';
import type { KafkaConnection, KafkaSasl } from './options.ts';
import { calmRequestQueues } from './request-queue.ts';

const CONNECT_MS = 3_000;
const REQUEST_MS = 10_000;
/** A new leader of a partition is found out at its first refusal; this is only for partitions nobody has written to. */
const METADATA_MS = 60_000;

/** The one place that knows the client library. Connects to nothing yet. */
export function createKafka({ brokers, clientId, tls, sasl }: KafkaConnection, logger: Logger): Kafka {
  calmRequestQueues();
  return new Kafka({
    clientId,
    brokers: [...brokers],
    connectionTimeout: CONNECT_MS,
    authenticationTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    enforceRequestTimeout: true,
    ...(tls && { ssl: withoutAbsent(tls) }),
    ...(sasl && { sasl: saslOptions(sasl) }),
    // Whoever calls waits and repeats by itself, with a cap of its own.
    retry: { retries: 1, initialRetryTime: 100, maxRetryTime: 500 },
    // The client calls everything an error that it is about to repeat. What becomes of it is logged by its caller.
    logCreator:
      () =>
      ({ namespace, label, log: { timestamp: _, logger: _name, ...fields } }) =>
        logger.debug({ ...fields, client: namespace, level: label }, 'kafka client'),
  });
}

/** One producer at a time writes a partition, one request after the other: see FeedProducer. */
export function createFeedProducer(kafka: Kafka) {
  return kafka.producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MS,
    retry: { retries: 1, initialRetryTime: 100, maxRetryTime: 500 },
  });
}

function saslOptions(sasl: KafkaSasl): SASLOptions {
  if (sasl.mechanism === 'aws-msk-iam') {
    const { region } = sasl;
    return { mechanism: 'oauthbearer', oauthBearerProvider: () => mskToken(region) };
  }
  return sasl;
}

function withoutAbsent<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
