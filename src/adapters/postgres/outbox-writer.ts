import type pg from 'pg';
import type { DecodedEvent } from '../../commands/decoded-event.ts';
import { pause } from '../../commands/pause.ts';
import type { EventLog, LogPage, StoredEvent } from '../../commands/ports.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import { EventRate } from '../../projections/event-rate.ts';
import { inTransaction } from '../../projections/in-transaction.ts';
import { UnknownEventError } from '../../projections/log-slice.ts';
import type { DataSchemas } from '../cloudevents/data-schema.ts';
import { publicStreams } from '../cloudevents/public-streams.ts';
import { toCloudEvent } from '../cloudevents/to-cloud-event.ts';
import { createForwarderStore, moveForwarder, type UndeliveredEvent } from './forwarder-store.ts';
import { clearOutbox, insertIntoOutbox, type OutboxRow } from './outbox-rows.ts';

export interface OutboxWriterOptions {
  readonly pool: pg.Pool;
  readonly log: EventLog;
  readonly decode: (stored: StoredEvent) => DecodedEvent | undefined;
  readonly dataSchemas: DataSchemas;
  /** How long rows stay; 0: they are deleted by the transaction that inserts them, which change data capture still sees. */
  readonly keepMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface OutboxWriter {
  /** Writes until the signal aborts; one process at a time, with a fence higher than all before. */
  write(signal: AbortSignal, fence: bigint): Promise<void>;
  /** Deletes rows that have been there long enough; any number of processes may do it at once. */
  sweep(signal: AbortSignal): Promise<void>;
}

/** Name of its checkpoint, and of whoever leads. */
export const OUTBOX = 'outbox';

const PAGE_SIZE = 1_000;
/** A position that moved without anything to write is written down this often. */
const IDLE_WRITE_MS = 500;
const SWEEP_MS = 5_000;

/** Public events as rows of the table outbox, in the order of the log: rows and checkpoint in one transaction. */
export function createOutboxWriter(options: OutboxWriterOptions): OutboxWriter {
  const { pool, log, keepMs } = options;
  const store = createForwarderStore(pool, OUTBOX);
  return {
    async write(signal, fence) {
      let position = await store.claim(fence);
      let writtenAt = performance.now();
      const rate = new EventRate();
      const pages = log.subscribe(position, { prefixes: publicStreams(), pageSize: PAGE_SIZE, signal });
      for await (const page of pages) {
        const { rows, undelivered } = toRows(page, options);
        const isDue = rows.length > 0 || performance.now() - writtenAt >= IDLE_WRITE_MS;
        if (page.position <= position || (!isDue && undelivered.length === 0)) continue;
        const move = { from: position, to: page.position, fence, undelivered };
        const eventsPerSecond = rate.add(rows.length);
        await inTransaction(pool, async (client) => {
          // First: one of two writers waits here for the other, and is refused before it meets the other's rows.
          await moveForwarder(client, OUTBOX, { ...move, eventsPerSecond });
          await insertIntoOutbox(client, rows);
          if (keepMs === 0) await clearOutbox(client, page.position);
        });
        position = page.position;
        writtenAt = performance.now();
        report(rows.length, undelivered, options);
      }
    },
    async sweep(signal) {
      while (!signal.aborted) {
        const isMore = keepMs > 0 && (await sweepOnce(pool, keepMs));
        if (!isMore) await pause(SWEEP_MS, signal);
      }
    },
  };
}

function toRows(
  page: LogPage,
  { decode, dataSchemas }: OutboxWriterOptions,
): { readonly rows: readonly OutboxRow[]; readonly undelivered: readonly UndeliveredEvent[] } {
  const rows: OutboxRow[] = [];
  const undelivered: UndeliveredEvent[] = [];
  for (const stored of page.events) {
    const { position, stream, revision, type } = stored;
    try {
      const row = toRow(stored, decode(stored), dataSchemas);
      if (row) rows.push(row);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      undelivered.push({ position, stream, revision, type, error: message });
    }
  }
  return { rows, undelivered };
}

/** undefined: not public. An event of a type this version does not know may be public: it must not be passed over. */
function toRow(
  stored: StoredEvent,
  decoded: DecodedEvent | undefined,
  schemas: DataSchemas,
): OutboxRow | undefined {
  if (!decoded) throw new UnknownEventError(stored);
  const event = toCloudEvent(decoded, schemas);
  return event && { position: stored.position, occurredAt: decoded.metadata.occurredAt, event };
}

function report(
  rows: number,
  undelivered: readonly UndeliveredEvent[],
  { logger, metrics }: OutboxWriterOptions,
): void {
  metrics.count('outbox_events_total', rows);
  for (const event of undelivered) {
    logger.error({ ...event, position: `${event.position}` }, 'outbox.event_left_out');
  }
}

/** Whether there may be more. */
async function sweepOnce(pool: pg.Pool, keepMs: number): Promise<boolean> {
  const { rowCount } = await pool.query(SWEEP, [keepMs]);
  return rowCount === MOST_SWEPT;
}

const MOST_SWEPT = 5_000;

/** The oldest rows are first by position, too. */
const SWEEP = `
delete from outbox
where position = any (array(
  select oldest.position
  from (select position, insertedat from outbox order by position limit ${MOST_SWEPT}) oldest
  where oldest.insertedat < clock_timestamp() - $1 * interval '1 millisecond'
))`;
