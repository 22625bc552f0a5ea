/** The cluster does not answer, or not as it should: no fault of the caller. */
export class KafkaUnavailableError extends Error {
  readonly code = 'kafka_unavailable';
  constructor(options?: ErrorOptions) {
    super('Kafka does not answer', options);
  }
}
