import { Partitioners, type PartitionMetadata } from 'kafkajs';

const MOST_REMEMBERED = 10_000;

/** Chooses a key's partition as kafkajs and the Java client do by default: murmur2 of the key. */
export function createPartitionOf(): (key: string, partitions: number) => number {
  const partitioner = Partitioners.DefaultPartitioner();
  const known = new Map<number, { metadata: PartitionMetadata[]; byKey: Map<string, number> }>();
  return (key, partitions) => {
    let topic = known.get(partitions);
    if (!topic) {
      topic = { metadata: Array.from({ length: partitions }, (_, id) => partition(id)), byKey: new Map() };
      known.set(partitions, topic);
    }
    let chosen = topic.byKey.get(key);
    if (chosen === undefined) {
      if (topic.byKey.size >= MOST_REMEMBERED) topic.byKey.clear();
      chosen = partitioner({ topic: '', partitionMetadata: topic.metadata, message: { key, value: null } });
      topic.byKey.set(key, chosen);
    }
    return chosen;
  };
}

const partition = (partitionId: number): PartitionMetadata => ({
  partitionId,
  partitionErrorCode: 0,
  leader: 0,
  replicas: [],
  isr: [],
});
