import { z } from 'zod';
import { position, time } from './values.ts';

const feed = z.object({
  status: z
    .enum(['waiting', 'live', 'catching_up', 'retrying'])
    .describe('waiting: no process forwards events to Kafka; retrying: lastError holds it up.'),
  leader: z.string().nullable().describe('The process that forwards: host and process id.'),
  position: position.describe('Everything up to here is on Kafka.'),
  head: position.describe('Position of the newest event in the log.'),
  lagEvents: z.int().describe('Events that are not on Kafka yet, counted up to 1,000.'),
  lagMs: z.int().describe('Age of the oldest of them.'),
  eventsPerSecond: z.number(),
  undelivered: z.int().describe('Events that were left out because Kafka will not take them.'),
  lastError: z.object({ message: z.string(), at: time, attempts: z.int() }).nullable(),
});

/** GET /v1/forwarder */
export const forwarder = feed
  .extend({
    outbox: feed
      .meta({ id: 'OutboxFeed' })
      .nullable()
      .describe('The same of the table outbox; null: no such rows are written.'),
  })
  .meta({ id: 'Forwarder' });
export type Forwarder = z.infer<typeof forwarder>;
