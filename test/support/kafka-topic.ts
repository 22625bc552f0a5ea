import type { Admin } from 'kafkajs';
import { waitUntil } from './wait-until.ts';

/** A new topic that can be written to. The client's own waiting fails while the broker does not know of the topic yet. */
export async function createTopic(admin: Admin, topic: string, numPartitions: number): Promise<void> {
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions }] });
  await waitUntil(`${topic} has leaders`, () =>
    admin.fetchTopicMetadata({ topics: [topic] }).then(
      ({ topics }) => topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0)),
      () => false,
    ),
  );
}
