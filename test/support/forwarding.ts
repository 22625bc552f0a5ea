import type pg from 'pg';
import { createForwarder } from '../../src/adapters/kafka/create-forwarder.ts';
import type { KafkaOptions } from '../../src/adapters/kafka/options.ts';
import { createForwarderStore, type ForwarderStore } from '../../src/adapters/postgres/forwarder-store.ts';
import { createLead } from '../../src/adapters/postgres/leadership.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { jobCodec } from '../../src/commands/job-codec.ts';
import { type EventLog, NO_STREAM, type StoredEvent } from '../../src/commands/ports.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { completed, enqueued, leaseExpired, started } from './job-events.ts';
import { running } from './running.ts';

export interface ForwardingOptions {
  readonly pool: pg.Pool;
  readonly log: EventLog;
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly contentMode?: KafkaOptions['contentMode'];
  readonly store?: ForwarderStore;
  readonly holder?: string;
  readonly decode?: (stored: StoredEvent) => ReturnType<typeof decodeEvent>;
}

/** A forwarder under leadership, until disposed of. */
export function forwarding(options: ForwardingOptions) {
  const { pool, log, brokers, prefix, contentMode = 'structured', holder = 'test' } = options;
  const forwarder = createForwarder({
    kafka: {
      connection: { brokers, clientId: 'test' },
      topics: { prefix, partitions: 3, replication: 1, retentionMs: 3_600_000, create: true },
      contentMode,
    },
    log,
    decode: options.decode ?? decodeEvent,
    store: options.store ?? createForwarderStore(pool),
    clock: systemClock,
    logger: noLogger,
    metrics: noMetrics,
  });
  const lead = createLead({ pool, holder });
  return running((signal) =>
    lead({ name: 'forwarder', signal, task: (leading, fence) => forwarder.run(leading, fence) }),
  );
}

/** Appends the whole life of a job to the log: three public events and one internal. `n` is in its payload. */
export async function appendJob(
  log: EventLog,
  tenantId: string,
  n: number,
  { jobId = `job-${n}`, payload = JSON.stringify({ n }) } = {},
): Promise<void> {
  const life: readonly JobEvent[] = [
    enqueued({ payload: asJsonText(payload) }),
    started(),
    leaseExpired(),
    completed(),
  ];
  await log.append([
    {
      stream: jobStream(tenantId, jobId),
      expectedRevision: NO_STREAM,
      events: life.map((event) =>
        jobCodec.encode(event, {
          tenantId,
          actor: { id: 'test', auth: 'in_process' },
          correlationId: `c-${n}`,
          causationId: `k-${n}`,
          occurredAt: Date.UTC(2026, 10, 21) + n,
        }),
      ),
    },
  ]);
}

export async function appendInTurn(log: EventLog, tenantId: string, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) await appendJob(log, tenantId, n);
}

export const PUBLIC_EVENTS_OF_A_JOB = 3;
