/**
 * What the feed to Kafka reaches: `node bench/kafka.ts [jobs] [catching-up] [live] [recovery] [cost]` with DATABASE_URL and,
 * if it is not to be one of its own, KAFKA_BROKERS. All of them when none is named.
 */
import { compareCatchingUp } from './kafka/catching-up.ts';
import { measureCost } from './kafka/cost.ts';
import { closeAll } from './kafka/feed.ts';
import { measureLive } from './kafka/live.ts';
import { measureRecovery } from './kafka/recovery.ts';

const parts = {
  'catching-up': compareCatchingUp,
  live: measureLive,
  recovery: measureRecovery,
  cost: measureCost,
};
const wanted = process.argv.slice(2).filter((word) => word in parts);
for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) await measure();
}
await closeAll();
