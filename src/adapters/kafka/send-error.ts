/** kafkajs leaves partitions out that it knows no leader of, and says nothing. */
export class UnsentError extends Error {
  readonly code = 'unsent';
  constructor(topic: string, partition: number) {
    super(`kafkajs has not sent what is for partition ${partition} of ${topic}`);
  }
}

/** What is to be done about a send that failed. */
export type SendProblem =
  /** The broker will never take this batch; if it is one message, that message. */
  | 'refused'
  /** The producer's numbers and the broker's no longer agree: only a new producer gets on. */
  | 'producer_spent'
  | 'topic_missing'
  /** It is not there, or has no leader at the moment. */
  | 'partition_missing'
  /** Whether it was written is unknown, or it was not: the same batch again. */
  | 'passing';

const REFUSED: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TIMESTAMP',
  'INVALID_RECORD',
]);

const SPENT: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'UNKNOWN_PRODUCER_ID',
]);

export function sendProblem(error: unknown): SendProblem {
  if (error instanceof UnsentError) return 'partition_missing';
  const type = protocolType(error);
  if (type === undefined) return 'passing';
  if (REFUSED.has(type)) return 'refused';
  if (SPENT.has(type)) return 'producer_spent';
  return type === 'UNKNOWN_TOPIC_OR_PARTITION' ? 'topic_missing' : 'passing';
}

/** The protocol's name of the error; kafkajs wraps errors, sometimes more than once. */
function protocolType(error: unknown): string | undefined {
  for (let depth = 0, current = error; depth < 5 && current instanceof Error; depth += 1) {
    if ('type' in current && typeof current.type === 'string') return current.type;
    current = current.cause;
  }
  return undefined;
}
