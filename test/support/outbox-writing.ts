import type pg from 'pg';
import { SCHEMA_URNS } from '../../src/adapters/cloudevents/data-schema.ts';
import { createLead } from '../../src/adapters/postgres/leadership.ts';
import { createOutboxWriter, OUTBOX } from '../../src/adapters/postgres/outbox-writer.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import type { EventLog } from '../../src/commands/ports.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import { lastPosition } from './last-position.ts';
import { running } from './running.ts';
import { waitUntil } from './wait-until.ts';

export interface OutboxSetUp {
  readonly pool: pg.Pool;
  readonly log: EventLog;
}

export const outboxWriter = ({ pool, log }: OutboxSetUp, keepMs = 3_600_000) =>
  createOutboxWriter({
    pool,
    log,
    decode: decodeEvent,
    dataSchemas: SCHEMA_URNS,
    keepMs,
    logger: noLogger,
    metrics: noMetrics,
  });

/** Writes the table under leadership, until disposed of. */
export function writingOutbox(set: OutboxSetUp, keepMs?: number) {
  const lead = createLead({ pool: set.pool, holder: 'test' });
  const writer = outboxWriter(set, keepMs);
  return running((signal) =>
    lead({ name: OUTBOX, signal, task: (leading, fence) => writer.write(leading, fence) }),
  );
}

export const outboxIsWritten = ({ pool }: Pick<OutboxSetUp, 'pool'>) =>
  waitUntil('everything is written', async () => {
    const { rows } = await pool.query('select position from forwarder_checkpoints where name = $1', [OUTBOX]);
    return BigInt(rows[0]?.position ?? 0) >= (await lastPosition(pool));
  });
