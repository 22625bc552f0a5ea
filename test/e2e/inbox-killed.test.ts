import { expect, it } from 'vitest';
import { startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { listening } from '../support/listening.ts';
import { startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const EVENTS = 4_000;
const LONG = { timeoutMs: 200_000 };

it.skipIf(whyNoKafka() !== undefined)(
  'every event has its effect once though the process that listens is killed between effect and offset',
  { timeout: 500_000 },
  async () => {
    await using kafka = await startKafka();
    await using set = await listening(kafka.brokers);
    await set.subscribe('orders', {
      topic: set.topic,
      tenant: 'acme',
      action: { kind: 'enqueue', type: 'order.fulfil' },
    });
    const env = {
      // What is looked into afterwards is PostgreSQL's log.
      EVENTSTOREDB_URL: '',
      DATABASE_URL: set.database.url,
      KAFKA_BROKERS: kafka.brokers.join(),
      INBOX_GROUP_PREFIX: set.groupId.slice(0, set.groupId.indexOf('-')),
      ROLES: 'inbox,timers',
    };
    for (let from = 0; from < EVENTS; from += 500) {
      await set.send(
        ...Array.from({ length: 500 }, (_, n) => ({
          eventId: `e-${from + n}`,
          timestamp: 1_737_200_000_000,
          type: 'ORDER',
          payload: { n: from + n },
        })),
      );
    }
    const processed = async (): Promise<number> => {
      const { rows } = await set.database.pool.query<{ count: string }>(
        'select count(*) from eventzr.processed_events',
      );
      return Number(rows[0]?.count);
    };
    {
      await using first = await startServer(env);
      await waitUntil('some have been processed', async () => (await processed()) > 0, {
        ...LONG,
        everyMs: 1,
      });
      await first.end('SIGKILL');
    }
    // What a crash between the two leaves: effects that are remembered, and no offset that knows of them.
    const offsets = [0, 1, 2].map((partition) => ({ partition, offset: '0' }));
    await waitUntil(
      'the group has forgotten the dead member',
      () =>
        set.admin
          .setOffsets({ groupId: set.groupId, topic: set.topic, partitions: offsets })
          .then(() => true)
          .catch(() => false),
      { ...LONG, everyMs: 500 },
    );
    await using _second = await startServer(env);
    await waitUntil('all are processed', async () => (await processed()) >= EVENTS, LONG);
    await set.caughtUp();
    const numbers = (await set.jobs('acme')).map((job) => (job as { n: number }).n);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: EVENTS }, (_, n) => n));
  },
);
