import type pg from 'pg';
import type { TenantActivity } from './adapters/event-log/append-lines.ts';
import { createPostgresEventLog } from './adapters/postgres/event-log.ts';
import { StartupError } from './adapters/process/startup-error.ts';
import type { EventLog } from './commands/ports.ts';
import type { Logger, Metrics } from './commands/telemetry.ts';
import type { EventStoreDbSettings } from './eventstoredb-settings.ts';

export interface ClosableLog extends EventLog {
  /** Settles the appends under way and refuses new ones. */
  close(): Promise<void>;
}

export interface LogOptions {
  readonly pool: pg.Pool;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly maxPendingEvents?: number | undefined;
  readonly activity?: TenantActivity | undefined;
}

/** The log where it is configured to be. Rejects with StartupError when its address cannot be understood. */
export async function openLog(
  eventStoreDb: EventStoreDbSettings | undefined,
  options: LogOptions,
): Promise<ClosableLog> {
  if (eventStoreDb === undefined) return createPostgresEventLog(options);
  // Loaded where it is needed only: its client takes as long to load as the rest of a start.
  const { createEventStoreDbLog } = await import('./adapters/eventstoredb/event-log.ts');
  try {
    return createEventStoreDbLog({ ...options, ...eventStoreDb });
  } catch (error) {
    // The client's message shows the whole string, the password, too.
    const message = 'EVENTSTOREDB_URL cannot be understood: it must look like esdb://user:password@host:2113';
    throw new StartupError('config_invalid', message, { cause: error });
  }
}
