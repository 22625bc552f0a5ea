import type pg from 'pg';
import { pause } from '../../commands/pause.ts';
import { type Clock, type EventLog, LOG_START, type Position } from '../../commands/ports.ts';
import type { Metrics } from '../../commands/telemetry.ts';
import { publicStreams } from '../cloudevents/public-streams.ts';
import { FORWARDER, type ForwarderFault } from './forwarder-store.ts';
import { OUTBOX } from './outbox-writer.ts';

/** How far the feed is; the same whichever process is asked. */
export interface ForwarderState {
  /** waiting: no process forwards; retrying: it is held up by what lastError says. */
  readonly status: 'waiting' | 'live' | 'catching_up' | 'retrying';
  /** Who forwards: host and process id. */
  readonly leader: string | null;
  readonly position: Position;
  readonly head: Position;
  /** Events not on Kafka yet, counted up to 1,000; those that stay inside count, too, until they are passed. */
  readonly lagEvents: number;
  /** Age of the oldest of them; 0 when there is none. */
  readonly lagMs: number;
  readonly eventsPerSecond: number;
  /** Events that were left out. */
  readonly undelivered: number;
  readonly lastError: ForwarderFault | null;
}

export interface ForwarderStatus {
  read(): Promise<ForwarderState>;
  /** Reports the gauges every few seconds until the signal aborts. */
  report(signal: AbortSignal, everyMs?: number): Promise<void>;
}

export interface ForwarderStatusOptions {
  /** Which feed: to Kafka, or into the table outbox. */
  readonly feed?: 'forwarder' | 'outbox';
  readonly pool: pg.Pool;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

const MOST_COUNTED = 1_000;
const LIVE_MS = 2_000;

const CHECKPOINTS = { forwarder: FORWARDER, outbox: OUTBOX } as const;

export function createForwarderStatus({
  feed = 'forwarder',
  pool,
  log,
  clock,
  metrics,
}: ForwarderStatusOptions): ForwarderStatus {
  const read = async (): Promise<ForwarderState> => {
    // The head first: the forwarder may run ahead of it while we look, but never seems behind what it had sent.
    const head = await log.head();
    const { rows } = await pool.query<StatusRow>(READ, [CHECKPOINTS[feed], feed]);
    const [row] = rows;
    const position = row?.position ? BigInt(row.position) : LOG_START;
    const filter = { prefixes: publicStreams(), withoutContent: true };
    const behind = position >= head ? [] : (await log.readLog(position, MOST_COUNTED, filter)).events;
    const lagMs = Math.max(0, clock.now() - (behind[0]?.recordedAt ?? clock.now()));
    return {
      status: statusOf(row, lagMs),
      leader: row?.leader ?? null,
      position,
      head,
      lagEvents: behind.length,
      lagMs,
      eventsPerSecond: row?.events_per_second ?? 0,
      undelivered: row?.undelivered ?? 0,
      lastError: row?.last_error ?? null,
    };
  };
  return {
    read,
    async report(signal, everyMs = 5_000) {
      while (!signal.aborted) {
        const { position, lagEvents, lagMs, undelivered, status } = await read();
        metrics.gauge(`${feed}_position`, Number(position));
        metrics.gauge(`${feed}_lag_events`, lagEvents);
        metrics.gauge(`${feed}_lag_seconds`, lagMs / 1_000);
        metrics.gauge(`${feed}_undelivered`, undelivered);
        metrics.gauge(`${feed}_up`, status === 'waiting' || status === 'retrying' ? 0 : 1);
        await pause(everyMs, signal);
      }
    },
  };
}

interface StatusRow {
  readonly position: string | null;
  readonly events_per_second: number;
  readonly last_error: ForwarderFault | null;
  readonly leader: string | null;
  readonly undelivered: number;
}

function statusOf(row: StatusRow | undefined, lagMs: number): ForwarderState['status'] {
  if (!row?.leader || row.position === null) return 'waiting';
  if (row.last_error) return 'retrying';
  return lagMs > LIVE_MS ? 'catching_up' : 'live';
}

/** A rate that was not renewed for seconds is the rate of then, not of now. */
const READ = `
select
  checkpoint.position,
  checkpoint.last_error,
  case
    when checkpoint.updated_at > clock_timestamp() - interval '5 seconds' then checkpoint.events_per_second
    else 0
  end as events_per_second,
  (
    select lease.holder
    from leader_leases lease
    where lease.name = $2 and lease.expires_at > clock_timestamp()
  ) as leader,
  (
    select count(*)::int
    from forwarder_dead_letters dead
    where dead.name = $1
  ) as undelivered
from (select $1 as name) wanted
left join forwarder_checkpoints checkpoint using (name)`;
