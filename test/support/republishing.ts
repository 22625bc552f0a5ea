import { createPublishing } from '../../src/adapters/kafka/publishing.ts';
import type { RepublicationOrder, RepublicationStore } from '../../src/adapters/kafka/republication.ts';
import { Republisher } from '../../src/adapters/kafka/republisher.ts';
import { createRepublicationStore } from '../../src/adapters/postgres/republications.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import type { ForwardingOptions } from './forwarding.ts';
import { running } from './running.ts';
import { waitUntil } from './wait-until.ts';

export const EVERYTHING: RepublicationOrder = {
  after: 0n,
  to: 2n ** 62n,
  topicSuffix: '',
  dryRun: false,
};

/** A process that sends events once more, until disposed of. */
export function republishing(
  { pool, log, brokers, prefix }: ForwardingOptions,
  store: RepublicationStore = createRepublicationStore(pool),
  { create = true }: { readonly create?: boolean } = {},
) {
  const connection = { brokers, clientId: 'test' };
  const topics = { prefix, partitions: 3, replication: 1, retentionMs: 3_600_000, create };
  const kafka = { connection, topics, contentMode: 'structured' as const };
  const republisher = new Republisher({
    store,
    log,
    publishing: createPublishing({ kafka, logger: noLogger, metrics: noMetrics }),
    decode: decodeEvent,
    keyEnd: async () => undefined,
    ids: systemIds(systemClock),
    logger: noLogger,
    metrics: noMetrics,
  });
  return Object.assign(
    running((signal) => republisher.run(signal)),
    {
      start: (order: Partial<RepublicationOrder>) =>
        republisher.start({ id: 'test', auth: 'in_process' }, { ...EVERYTHING, ...order }),
      /** Once it is over, however. */
      over: (id: string) =>
        waitUntil('the republication is over', async () => {
          const found = await store.get(id);
          return found && found.status !== 'running' ? found : undefined;
        }),
    },
  );
}
