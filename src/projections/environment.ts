import type { Pool } from 'pg';
import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { Clock, EventLog, StoredEvent } from '../commands/ports.ts';
import type { Logger, Metrics } from '../commands/telemetry.ts';
import type { Lead } from './lead.ts';

/** What running, rebuilding and verifying projections needs from the outside. */
export interface ProjectionEnvironment {
  readonly pool: Pool;
  readonly log: EventLog;
  /** undefined: an event type this version does not know. Throws for events that can't be read. */
  readonly decode: (stored: StoredEvent) => DecodedEvent | undefined;
  readonly lead: Lead;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}
