import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IdempotencyStore } from '../../commands/idempotency.ts';
import type { HandleEvents } from '../../commands/inbound/handle-events.ts';
import type { InboxDeadLetters } from '../../commands/inbound/inbox-dead-letters.ts';
import type { SubscriptionStore } from '../../commands/inbound/subscription-store.ts';
import type { ManageKeys } from '../../commands/manage-keys.ts';
import type { NoteAction } from '../../commands/note-action.ts';
import type { AssignTerms } from '../../commands/plans/assign-terms.ts';
import type { EnsureTerms } from '../../commands/plans/default-terms.ts';
import type { PlanStore } from '../../commands/plans/plan-store.ts';
import type { Clock, EventLog, Ids, Position } from '../../commands/ports.ts';
import type { QuotaGate } from '../../commands/quota-gate.ts';
import type { ReadJob } from '../../commands/read-job.ts';
import type { ReadyQueue } from '../../commands/ready-queue.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import type { UseCases } from '../../commands/use-cases.ts';
import type { QuotaTerms } from '../../domain/tenant-quota/limits.ts';
import type { ProjectionFreshness } from '../../projections/freshness.ts';
import type { Queries } from '../../projections/queries.ts';
import type { RebuildReport, RebuildRequest } from '../../projections/rebuild.ts';
import type { RebuildProgress } from '../../projections/rebuild-progress.ts';
import type { DataSchemas } from '../cloudevents/data-schema.ts';
import type { ConsumerGroup } from '../kafka/consumer-lag.ts';
import type { RepublicationStore } from '../kafka/republication.ts';
import type { Republisher } from '../kafka/republisher.ts';
import type { ForwarderStatus } from '../postgres/forwarder-status.ts';
import type { BodyBudget } from './body-budget.ts';
import type { BodyTurnLimits } from './body-turns.ts';
import type { BulkOperations } from './bulk-operations.ts';
import type { OperationStore } from './operation-store.ts';
import type { Credentials } from './principal.ts';
import type { RedactionRules } from './redaction.ts';

/** A Fastify instance whose routes are typed by their zod schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface Limits {
  /** Bytes of one payload or result. */
  readonly contentBytes: number;
  /** Bytes of a body. */
  readonly bodyBytes: number;
  /** Bytes of a body that holds many items. */
  readonly batchBytes: number;
  readonly bodies: BodyBudget;
  readonly bodyTurns: BodyTurnLimits;
  /** Claims that may wait at once, of all workers. */
  readonly waitingClaims: number;
  readonly streams: number;
  /** Longest wait for a read model to reach an Await-Position. */
  readonly awaitMs: number;
  /** A stream whose client takes longer than this to read is ended. */
  readonly slowStreamMs: number;
  readonly streamPingMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  contentBytes: 256 * 1024,
  bodyBytes: 1024 * 1024,
  batchBytes: 4 * 1024 * 1024,
  bodies: { totalBytes: 512 * 1024 * 1024, callerBytes: 128 * 1024 * 1024 },
  // At once: two of the longest, or many that are just large.
  bodyTurns: { largeBytes: 64 * 1024, atOnceBytes: 8 * 1024 * 1024, waiting: 200, waitMs: 10_000 },
  waitingClaims: 1_000,
  streams: 200,
  awaitMs: 2_000,
  slowStreamMs: 10_000,
  streamPingMs: 15_000,
};

export interface HealthCheck {
  readonly name: string;
  /** Rejects when the part does not work. */
  check(): Promise<void>;
}

/** A rebuild that runs, or ran last, in this process. Times are milliseconds since 1970. */
export interface RebuildState {
  readonly phase: RebuildProgress['phase'] | 'starting' | 'done' | 'failed';
  readonly startedAt: number;
  readonly finishedAt: number | null;
  readonly progress: Pick<RebuildProgress, 'events' | 'totalEvents' | 'done' | 'eventsPerSecond' | 'etaMs'>;
  readonly report: RebuildReport | null;
  readonly error: string | null;
  readonly errorCode: string | null;
}

/** What the API needs to know about read models, and can ask of them. */
export interface ProjectionControl {
  list(): Promise<readonly (ProjectionFreshness & { readonly rebuild: RebuildState | null })[]>;
  /** Starts a rebuild and answers at once; throws `already-rebuilding`. The projection must exist. */
  rebuild(name: string, request: RebuildOptions): void;
  /** Shows the tables before the last rebuild again; throws `nothing-to-roll-back` and `already-rebuilding`. */
  rollback(name: string): Promise<Position>;
  /** False when the projection did not get there in time. */
  waitFor(name: string, position: Position, timeoutMs: number): Promise<boolean>;
  /** At most half a second old; undefined for unknown names. */
  freshness(name: string): Promise<Pick<ProjectionFreshness, 'position' | 'lagMs'> | undefined>;
}

export type RebuildOptions = Pick<RebuildRequest, 'tenant' | 'toPosition' | 'toTime' | 'dryRun'>;

/** Everything the server is made of. */
export interface ServerParts {
  readonly useCases: UseCases;
  readonly queries: Queries;
  readonly readJob: ReadJob;
  readonly log: EventLog;
  readonly dataSchemas: DataSchemas;
  readonly projections: ProjectionControl;
  readonly forwarderStatus: Pick<ForwarderStatus, 'read'>;
  /** Absent: no rows are written for change data capture. */
  readonly outbox?: unknown;
  readonly outboxStatus: Pick<ForwarderStatus, 'read'>;
  readonly republisher: Pick<Republisher, 'start'>;
  readonly republicationStore: Pick<RepublicationStore, 'get' | 'list' | 'abort'>;
  readonly inbound: {
    readonly handle: HandleEvents;
    readonly subscriptions: SubscriptionStore;
    readonly deadLetters: InboxDeadLetters;
    consumers(): Promise<readonly ConsumerGroup[]>;
  };
  readonly tenancy: {
    readonly plans: PlanStore;
    readonly defaultPlan: string | undefined;
    readonly assign: AssignTerms;
    readonly ensureTerms: EnsureTerms;
    readonly known: QuotaGate['known'];
    initialTerms(): Promise<QuotaTerms>;
  };
  readonly workers: Pick<ReadyQueue, 'directWorker' | 'listWorkers'>;
  readonly credentials: Credentials;
  readonly access: { readonly keys: ManageKeys; readonly noteAction: NoteAction };
  /** Absent: everybody sees everything. */
  readonly redactions?: RedactionRules | undefined;
  readonly idempotency: IdempotencyStore;
  readonly operations: Pick<BulkOperations, 'start' | 'preview'>;
  readonly operationStore: Pick<OperationStore, 'get' | 'list' | 'abort'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Prometheus text of /metrics. */
  readonly metricsText: () => Promise<string>;
  readonly healthChecks: readonly HealthCheck[];
  readonly limits: Limits;
}
