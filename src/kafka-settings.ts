import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { KafkaOptions, KafkaSasl } from './adapters/kafka/options.ts';
import { setting, wholeNumber, yesOrNo } from './setting.ts';

const brokers = z
  .string()
  .transform((text) => text.split(',').map((word) => word.trim()))
  .pipe(z.array(z.string().regex(/^[\w.-]+:\d{1,5}$/, 'must look like host:9092,host:9092')));

const sasl = z.enum(['plain', 'scram-sha-256', 'scram-sha-512', 'aws-msk-iam'], {
  error: 'must be plain, scram-sha-256, scram-sha-512 or aws-msk-iam',
});

const contentMode = z.enum(['structured', 'binary'], { error: 'must be structured or binary' });

/** The text of the file that the setting names. */
const pemFile = z.string().transform((path, context) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    context.addIssue('must be a file that can be read');
    return z.NEVER;
  }
});

export const KAFKA_SETTINGS = {
  KAFKA_BROKERS: setting(
    brokers.optional(),
    '',
    'Kafka cluster that gets every public event, as `host:9092,host:9092`. Not set: no Kafka',
  ),
  KAFKA_CLIENT_ID: setting(
    z.string().max(100),
    'eventzr-jobs',
    'Name of this service in the logs of the brokers',
  ),
  KAFKA_TLS: setting(yesOrNo(), 'false', '`true` to connect with TLS'),
  KAFKA_TLS_CA: setting(
    pemFile.optional(),
    '',
    "PEM file with the brokers' CA. Not set: the CAs of the system",
  ),
  KAFKA_TLS_CERT: setting(
    pemFile.optional(),
    '',
    'PEM file with the certificate of this client, for mutual TLS',
  ),
  KAFKA_TLS_KEY: setting(pemFile.optional(), '', 'PEM file with the key of that certificate'),
  KAFKA_SASL: setting(
    sasl.optional(),
    '',
    'How to log in: `plain`, `scram-sha-256`, `scram-sha-512`, or `aws-msk-iam` with the credentials that the AWS SDK finds',
  ),
  KAFKA_USERNAME: setting(z.string().optional(), '', 'For `plain` and `scram-…`'),
  KAFKA_PASSWORD: setting(z.string().optional(), '', 'For `plain` and `scram-…`'),
  KAFKA_AWS_REGION: setting(z.string().optional(), '', 'For `aws-msk-iam`: region of the cluster'),
  KAFKA_TOPIC_PREFIX: setting(
    z
      .string()
      .regex(/^[\w.-]{1,100}$/, 'must be letters, digits, dots, dashes and underscores')
      .default(''),
    '',
    'In front of the names of all topics, for example `staging.`',
  ),
  KAFKA_CREATE_TOPICS: setting(yesOrNo(), 'true', '`false` where topics are made by someone else'),
  KAFKA_TOPIC_PARTITIONS: setting(
    wholeNumber(1, 1_000),
    '6',
    "Partitions of topics that are created. More later breaks the order of a tenant's events once",
  ),
  KAFKA_TOPIC_REPLICATION: setting(
    wholeNumber(1, 15).optional(),
    '',
    'Replicas of topics that are created. Not set: what the cluster does by default',
  ),
  KAFKA_TOPIC_RETENTION_MS: setting(
    wholeNumber(60_000, 315_360_000_000),
    '604800000',
    'How long topics that are created keep events',
  ),
  KAFKA_CONTENT_MODE: setting(
    contentMode,
    'structured',
    'How CloudEvents travel: `structured`, all in the value, or `binary`, attributes in headers',
  ),
} as const;

type Schemas = { [Name in keyof typeof KAFKA_SETTINGS]: (typeof KAFKA_SETTINGS)[Name]['schema'] };
export type KafkaValues = Readonly<z.infer<z.ZodObject<Schemas>>>;

/** What settings that are right by themselves lack together. */
export function kafkaProblems(values: KafkaValues): readonly string[] {
  const { KAFKA_SASL, KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_AWS_REGION, KAFKA_TLS } = values;
  if (KAFKA_SASL === undefined) return [];
  if (KAFKA_SASL !== 'aws-msk-iam') {
    return Object.entries({ KAFKA_USERNAME, KAFKA_PASSWORD })
      .filter(([, value]) => value === undefined)
      .map(([name]) => `${name}: KAFKA_SASL=${KAFKA_SASL} needs it`);
  }
  return [
    ...(KAFKA_AWS_REGION === undefined ? ['KAFKA_AWS_REGION: KAFKA_SASL=aws-msk-iam needs it'] : []),
    ...(KAFKA_TLS ? [] : ['KAFKA_TLS: KAFKA_SASL=aws-msk-iam needs it to be true']),
  ];
}

/** undefined: no Kafka. The settings must have no problems. */
export function kafkaOptions(values: KafkaValues): KafkaOptions | undefined {
  if (values.KAFKA_BROKERS === undefined) return undefined;
  const { KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: cert, KAFKA_TLS_KEY: key } = values;
  return {
    connection: {
      brokers: values.KAFKA_BROKERS,
      clientId: values.KAFKA_CLIENT_ID,
      tls: values.KAFKA_TLS ? { ca, cert, key } : undefined,
      sasl: saslOf(values),
    },
    topics: {
      prefix: values.KAFKA_TOPIC_PREFIX,
      partitions: values.KAFKA_TOPIC_PARTITIONS,
      replication: values.KAFKA_TOPIC_REPLICATION ?? -1,
      retentionMs: values.KAFKA_TOPIC_RETENTION_MS,
      create: values.KAFKA_CREATE_TOPICS,
    },
    contentMode: values.KAFKA_CONTENT_MODE,
  };
}

function saslOf(values: KafkaValues): KafkaSasl | undefined {
  const { KAFKA_SASL: mechanism, KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_AWS_REGION } = values;
  if (mechanism === undefined) return undefined;
  if (mechanism === 'aws-msk-iam') return { mechanism, region: KAFKA_AWS_REGION ?? '' };
  return { mechanism, username: KAFKA_USERNAME ?? '', password: KAFKA_PASSWORD ?? '' };
}
