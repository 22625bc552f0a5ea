/** The cluster does not answer, or not as it should: no fault of the caller. */
export class KafkaUnavailableError extends Error {
  readonly code = 'kafka_unavailable';
  constructor(cause?: Error) {
    super(isRefusal(cause) ? 'Kafka refuses the credentials of this service' : 'Kafka does not answer', {
      cause,
    });
  }
}

/** The client wraps errors, sometimes more than once. */
function isRefusal(error: unknown): boolean {
  for (let depth = 0, current = error; depth < 5 && current instanceof Error; depth += 1) {
    if (current.name === 'KafkaJSSASLAuthenticationError') return true;
    current = current.cause;
  }
  return false;
}
