import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { z } from 'zod';
import type { ConsumerGroup } from './adapters/kafka/consumer-lag.ts';
import { Inbox, type InboxSettings } from './adapters/kafka/inbox.ts';
import type { KafkaOptions } from './adapters/kafka/options.ts';
import { createInboxDeadLetters } from './adapters/postgres/inbox-dead-letters.ts';
import { createInboxLedger } from './adapters/postgres/inbox-ledger.ts';
import { createProcessedEventsSweeper } from './adapters/postgres/processed-events-sweeper.ts';
import type { StagedJobsRelay } from './adapters/postgres/staged-jobs-relay.ts';
import { createSubscriptionStore } from './adapters/postgres/subscriptions.ts';
import { StartupError } from './adapters/process/startup-error.ts';
import type { AdmitJobsDeps } from './commands/inbound/admit-jobs.ts';
import { createHandleEvents, type HandleEvents } from './commands/inbound/handle-events.ts';
import type { InboxDeadLetters } from './commands/inbound/inbox-dead-letters.ts';
import { PLATFORM_SUBSCRIPTIONS } from './commands/inbound/platform-subscriptions.ts';
import { subscriptionName, subscriptionRule } from './commands/inbound/subscription.ts';
import type { SubscriptionStore } from './commands/inbound/subscription-store.ts';
import { pause } from './commands/pause.ts';
import type { Clock, Ids } from './commands/ports.ts';
import type { Logger, Metrics } from './commands/telemetry.ts';
import type { UseCases } from './commands/use-cases.ts';
import { isPassing } from './projections/fault.ts';
import type { Tenancy } from './tenancy.ts';

export interface InboundSettings extends InboxSettings {
  /** JSON file with subscriptions by name; absent: only those made over the API. */
  readonly subscriptionsFile?: string | undefined;
  /** Whether what other services of the platform say about tenants has its effect here. Absent: as other processes say. */
  readonly tenantEvents?: boolean | undefined;
  /** How long processed events are remembered. */
  readonly keepMs: number;
}

export const DEFAULT_INBOUND: InboundSettings = {
  naming: { prefix: 'eventzr', service: 'jobs' },
  start: 'earliest',
  keepMs: 30 * 86_400_000,
};

/** Everything that listens to other services. */
export interface Inbound {
  readonly handle: HandleEvents;
  readonly subscriptions: SubscriptionStore;
  readonly deadLetters: InboxDeadLetters;
  /** Consumer groups and how far they are behind; none without Kafka. */
  consumers(): Promise<readonly ConsumerGroup[]>;
  /** Background tasks of the role inbox. */
  readonly tasks: Readonly<Record<string, (signal: AbortSignal) => Promise<void>>>;
}

export interface InboundOptions {
  readonly pool: pg.Pool;
  readonly kafka: KafkaOptions | undefined;
  readonly settings: InboundSettings;
  readonly useCases: UseCases;
  readonly tenancy: Pick<Tenancy, 'assign' | 'ensureTerms'>;
  readonly admit: AdmitJobsDeps['admit'];
  readonly relay: Pick<StagedJobsRelay, 'wake'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly maxPayloadBytes: number | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Throws StartupError when the file with subscriptions can't be used. */
export function createInbound(options: InboundOptions): Inbound {
  const { pool, kafka, settings, clock, ids, relay, logger, metrics } = options;
  const subscriptions = createSubscriptionStore(pool, clock);
  const deadLetters = createInboxDeadLetters(pool, ids);
  const handle = createHandleEvents({
    ...options,
    subscriptions,
    tenants: { useCases: options.useCases, ...options.tenancy, clock },
    ensureTerms: options.tenancy.ensureTerms,
    ledger: createInboxLedger(pool),
    isPassing: isPassingForEvents,
    staged: () => relay.wake(),
  });
  const inbox =
    kafka && new Inbox({ ...settings, kafka, subscriptions, handle, deadLetters, logger, metrics });
  const { subscriptionsFile, tenantEvents } = settings;
  const fromFile = subscriptionsFile === undefined ? undefined : readSubscriptions(subscriptionsFile);
  return {
    handle,
    subscriptions,
    deadLetters,
    consumers: async () => inbox?.lag.list() ?? [],
    tasks: {
      processed_events: createProcessedEventsSweeper(pool, settings.keepMs),
      ...(inbox && { inbox: (signal) => inbox.run(signal), inbox_lag: (signal) => inbox.report(signal) }),
      ...((fromFile || tenantEvents !== undefined) && {
        subscriptions_file: async (signal: AbortSignal) => {
          await replaceFixed(subscriptions, fromFile, tenantEvents);
          while (!signal.aborted) await pause(60_000, signal);
        },
      }),
    },
  };
}

/** Those that are not made over the API. A process that has no file leaves the file of others alone. */
async function replaceFixed(
  subscriptions: SubscriptionStore,
  fromFile: FixedSubscriptions | undefined,
  tenantEvents: boolean | undefined,
): Promise<void> {
  const builtIn = tenantEvents ? PLATFORM_SUBSCRIPTIONS : [];
  if (fromFile) await subscriptions.replaceFromFile(new Map([...builtIn, ...fromFile]));
  else await subscriptions.replaceFromFile(new Map(builtIn), [...PLATFORM_SUBSCRIPTIONS.keys()]);
}

type FixedSubscriptions = ReadonlyMap<string, z.infer<typeof subscriptionRule>>;

const fileSchema = z.record(subscriptionName, subscriptionRule);

/** Throws StartupError with everything that is wrong with the file. */
function readSubscriptions(file: string): FixedSubscriptions {
  const { data, error } = fileSchema.safeParse(jsonIn(file));
  if (data) return new Map(Object.entries(data));
  throw new StartupError('config_invalid', `SUBSCRIPTIONS_FILE: ${file}: ${z.prettifyError(error)}`);
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new StartupError('config_invalid', `SUBSCRIPTIONS_FILE: ${file}: ${(error as Error).message}`);
  }
}

/** A statement that took too long speaks of the database, not of one event among a thousand. */
const isPassingForEvents = (error: unknown): boolean =>
  isPassing(error) ||
  (error instanceof Error && (('code' in error && error.code === '57014') || /timeout/i.test(error.message)));
