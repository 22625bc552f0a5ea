/** How to reach a Kafka cluster. */
export interface KafkaConnection {
  /** `host:port`; some of the cluster's brokers are enough. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Absent: no TLS. PEM texts; without a CA the system's are trusted. */
  readonly tls?: KafkaTls | undefined;
  readonly sasl?: KafkaSasl | undefined;
}

export interface KafkaTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  /** Amazon MSK; credentials come from where the AWS SDK finds them. */
  | { readonly mechanism: 'aws-msk-iam'; readonly region: string };

/** What topics are created with; topics that exist are taken as they are. */
export interface TopicOptions {
  /** In front of every topic's name. */
  readonly prefix: string;
  readonly partitions: number;
  /** -1: the cluster's default. */
  readonly replication: number;
  readonly retentionMs: number;
  /** false: someone else creates them; missing ones are an error. */
  readonly create: boolean;
}

/** How a CloudEvent travels: whole in the value, or its attributes in headers. */
export type ContentMode = 'structured' | 'binary';

export interface KafkaOptions {
  readonly connection: KafkaConnection;
  readonly topics: TopicOptions;
  readonly contentMode: ContentMode;
}
