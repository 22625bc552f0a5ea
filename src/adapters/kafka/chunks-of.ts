import type { Batch, KafkaMessage } from 'kafkajs';

const CHUNK_MESSAGES = 1_000;
const CHUNK_BYTES = 4_000_000;

/** What is handled together: never more than a transaction should hold. */
export function* chunksOf({ messages }: Batch): Iterable<readonly KafkaMessage[]> {
  let chunk: KafkaMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = message.value?.length ?? 0;
    if (chunk.length >= CHUNK_MESSAGES || (chunk.length > 0 && bytes + size > CHUNK_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(message);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
