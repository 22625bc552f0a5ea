import { hostname } from 'node:os';
import type pg from 'pg';
import { type Access, createAccess } from './access.ts';
import { type DataSchemas, dataSchemas } from './adapters/cloudevents/data-schema.ts';
import { BulkOperations } from './adapters/http/bulk-operations.ts';
import type { OperationStore } from './adapters/http/operation-store.ts';
import { createForwarder } from './adapters/kafka/create-forwarder.ts';
import type { Forwarder } from './adapters/kafka/forwarder.ts';
import type { KafkaOptions } from './adapters/kafka/options.ts';
import { createPublishing } from './adapters/kafka/publishing.ts';
import type { RepublicationStore } from './adapters/kafka/republication.ts';
import { Republisher } from './adapters/kafka/republisher.ts';
import { postgresActivitySign } from './adapters/postgres/activity-sign.ts';
import { apiKeyEnd } from './adapters/postgres/api-keys.ts';
import { createForwarderStatus, type ForwarderStatus } from './adapters/postgres/forwarder-status.ts';
import { createForwarderStore } from './adapters/postgres/forwarder-store.ts';
import { postgresHeartbeatPath } from './adapters/postgres/heartbeat-path.ts';
import { createLead } from './adapters/postgres/leadership.ts';
import { createOperationStore } from './adapters/postgres/operations.ts';
import { createOutboxWriter, type OutboxWriter } from './adapters/postgres/outbox-writer.ts';
import { createPool, type PoolSettings } from './adapters/postgres/pool.ts';
import { createQueries } from './adapters/postgres/queries/queries.ts';
import { createRateBuckets } from './adapters/postgres/rate-buckets.ts';
import { postgresReadyQueue } from './adapters/postgres/ready-queue.ts';
import { createRepublicationStore } from './adapters/postgres/republications.ts';
import { createStageJobs, type StageJobs } from './adapters/postgres/staged-jobs.ts';
import { createStagedJobsRelay, type StagedJobsRelay } from './adapters/postgres/staged-jobs-relay.ts';
import { systemClock, systemIds } from './adapters/system.ts';
import { ActiveTenants } from './commands/active-tenants.ts';
import { ClaimDispatcher } from './commands/claim-dispatcher.ts';
import { decodeEvent } from './commands/decode-event.ts';
import type { DispatchDeps } from './commands/dispatch-deps.ts';
import { createEnqueueStaged } from './commands/enqueue-jobs.ts';
import type { HeartbeatPath } from './commands/heartbeat-path.ts';
import { createJobHandler } from './commands/job-handler.ts';
import { LineProgress } from './commands/line-progress.ts';
import type { Clock, Ids } from './commands/ports.ts';
import { QuotaGate } from './commands/quota-gate.ts';
import { createReadJob, type ReadJob } from './commands/read-job.ts';
import type { ReadyQueue } from './commands/ready-queue.ts';
import { RecentStates } from './commands/recent-states.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from './commands/telemetry.ts';
import type { UseCases } from './commands/use-cases.ts';
import type { EventStoreDbSettings } from './eventstoredb-settings.ts';
import { createInbound, DEFAULT_INBOUND, type Inbound, type InboundSettings } from './inbound.ts';
import { type ClosableLog, openLog } from './open-log.ts';
import type { OutboxSettings } from './outbox-settings.ts';
import type { PlanSettings } from './plan-settings.ts';
import { auditProjection } from './projections/audit.ts';
import { deadLettersProjection } from './projections/dead-letters.ts';
import type { ProjectionEnvironment } from './projections/environment.ts';
import { Freshness } from './projections/freshness.ts';
import { jobsProjection } from './projections/jobs.ts';
import type { Projection } from './projections/projection.ts';
import type { Queries } from './projections/queries.ts';
import { queueStatsProjection } from './projections/queue-stats.ts';
import { QUOTA_USAGE, quotaUsageProjection } from './projections/quota-usage.ts';
import { readyJobs } from './projections/ready-jobs.ts';
import { createTenancy, type Tenancy } from './tenancy.ts';
import { createUseCases } from './use-cases.ts';

export interface PartsOptions {
  readonly databaseUrl: string;
  /** Connections of this process to the database, at most. Default 20. */
  readonly connections?: number | undefined;
  readonly maxPendingEvents?: number | undefined;
  readonly maxPayloadBytes?: number | undefined;
  /** Where the log is; absent: in PostgreSQL. */
  readonly eventStoreDb?: EventStoreDbSettings | undefined;
  /** Where others reach the service, without a slash at the end; public events name their schemas by it. */
  readonly publicUrl?: string | undefined;
  /** Where public events go; absent: they stay here. */
  readonly kafka?: KafkaOptions | undefined;
  /** Plans of tenants; absent: only those made over the API, and no plan for tenants to begin with. */
  readonly plans?: PlanSettings | undefined;
  /** Public events as rows for change data capture; absent: none are written. */
  readonly outbox?: OutboxSettings | undefined;
  /** How events of other services are listened to. */
  readonly inbound?: InboundSettings | undefined;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

/** Everything an engine is made of, put together but not running. */
export interface Parts {
  readonly pool: pg.Pool;
  readonly log: ClosableLog;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly dataSchemas: DataSchemas;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly dispatch: DispatchDeps;
  readonly dispatcher: ClaimDispatcher;
  readonly lineProgress: LineProgress;
  readonly readyQueue: ReadyQueue;
  readonly heartbeatPath: HeartbeatPath;
  readonly stageJobs: StageJobs;
  readonly stagedJobsRelay: StagedJobsRelay;
  readonly useCases: UseCases;
  readonly queries: Queries;
  readonly readJob: ReadJob;
  readonly access: Access;
  readonly operations: BulkOperations;
  readonly operationStore: OperationStore;
  readonly projections: readonly Projection[];
  readonly projectionEnvironment: ProjectionEnvironment;
  readonly freshness: Freshness;
  readonly forwarder: Forwarder | undefined;
  readonly forwarderStatus: ForwarderStatus;
  readonly outbox: OutboxWriter | undefined;
  readonly outboxStatus: ForwarderStatus;
  readonly republisher: Republisher;
  readonly republicationStore: RepublicationStore;
  readonly inbound: Inbound;
  readonly tenancy: Tenancy;
  close(): Promise<void>;
}

/** Leases must be renewed in time, and read models move on, however busy the other connections are. */
const LEADER_CONNECTIONS = 2;
const PROJECTION_CONNECTIONS = 6;
/** Somebody waits for the answer: better an error soon than an answer when nobody listens any more. */
const WITH_CALLERS = { connectTimeoutMs: 4_000, statementTimeoutMs: 8_000, queryTimeoutMs: 9_000 } as const;

export async function createParts(options: PartsOptions): Promise<Parts> {
  const { connections = 20, logger = noLogger, metrics = noMetrics } = options;
  const clock = systemClock;
  const ids = systemIds(clock);
  const schemas = dataSchemas(options.publicUrl);
  const onError = (error: Error): void => logger.warn({ err: error }, 'database connection lost');
  const connect = (max: number, timeouts: Partial<PoolSettings> = {}): pg.Pool =>
    createPool({ connectionString: options.databaseUrl, max, onError, ...timeouts });
  const leaderPool = connect(LEADER_CONNECTIONS);
  const projectionPool = connect(PROJECTION_CONNECTIONS);
  const pool = connect(Math.max(4, connections - LEADER_CONNECTIONS - PROJECTION_CONNECTIONS), WITH_CALLERS);
  const lineProgress = new LineProgress();
  const activeTenants = new ActiveTenants({
    sign: postgresActivitySign(pool),
    hearsAll: () => lineProgress.position !== undefined,
    logger,
  });
  const { maxPendingEvents } = options;
  const log = await openLog(options.eventStoreDb, {
    pool,
    logger,
    metrics,
    maxPendingEvents,
    activity: activeTenants,
  });

  const readyQueue = postgresReadyQueue(pool);
  const dispatcher = new ClaimDispatcher({ readyQueue, clock, ids, logger, metrics });
  const dispatch: DispatchDeps = {
    log,
    handler: createJobHandler(log),
    readyQueue,
    running: new RecentStates(),
    clock,
    ids,
    logger,
    metrics,
  };
  const projections = [
    jobsProjection,
    deadLettersProjection,
    queueStatsProjection,
    quotaUsageProjection,
    auditProjection,
    readyJobs({
      clock,
      announce: (lanes) => dispatcher.announce(lanes),
      progress: lineProgress,
      linedUp: (tenantId, jobs) => activeTenants.linedUp(tenantId, jobs),
    }),
  ];
  const holder = `${hostname()}:${process.pid}`;
  const lead = createLead({ pool: leaderPool, holder, logger, metrics });
  const projectionEnvironment = {
    pool: projectionPool,
    log,
    decode: decodeEvent,
    lead,
    clock,
    logger,
    metrics,
  };

  const queries = createQueries({ pool, clock });
  const freshness = new Freshness({ environment: projectionEnvironment, projections });
  const gate = new QuotaGate({ log, clock, ids, buckets: createRateBuckets(pool), logger, metrics });
  const tenancy = createTenancy({
    pool,
    settings: options.plans ?? {},
    useCases: createUseCases({
      pool,
      dispatch,
      dispatcher,
      progress: lineProgress,
      gate,
      maxPayloadBytes: options.maxPayloadBytes,
    }),
    gate,
    queries,
    caughtUp: async () => freshness.waitFor(QUOTA_USAGE, await log.head(), 10_000),
    clock,
    ids,
    logger,
    metrics,
  });
  const { useCases } = tenancy;
  const operationStore = createOperationStore(pool);
  const stagedJobsRelay = createStagedJobsRelay({
    pool,
    enqueue: createEnqueueStaged({ log }, clock),
    logger,
    metrics,
  });
  const republicationStore = createRepublicationStore(projectionPool);
  return {
    pool,
    log,
    clock,
    ids,
    dataSchemas: schemas,
    logger,
    metrics,
    dispatch,
    dispatcher,
    lineProgress,
    readyQueue,
    heartbeatPath: postgresHeartbeatPath(pool, ids.next()),
    stageJobs: tenancy.stageJobs(
      createStageJobs({ clock, ids, gate, maxPayloadBytes: options.maxPayloadBytes }),
    ),
    stagedJobsRelay,
    useCases,
    queries,
    operations: new BulkOperations({
      store: operationStore,
      queries,
      useCases,
      keyEnd: apiKeyEnd(pool),
      ids,
      logger,
    }),
    operationStore,
    readJob: createReadJob({ log }),
    access: createAccess({ pool, log, clock, ids }),
    projections,
    projectionEnvironment,
    freshness,
    forwarder:
      options.kafka &&
      createForwarder({
        ...projectionEnvironment,
        kafka: options.kafka,
        dataSchemas: schemas,
        store: createForwarderStore(projectionPool),
      }),
    inbound: createInbound({
      pool,
      kafka: options.kafka,
      settings: options.inbound ?? DEFAULT_INBOUND,
      useCases,
      tenancy,
      admit: gate.admit.bind(gate),
      relay: stagedJobsRelay,
      clock,
      ids,
      maxPayloadBytes: options.maxPayloadBytes,
      logger,
      metrics,
    }),
    tenancy,
    forwarderStatus: createForwarderStatus({ pool: projectionPool, log, clock, metrics }),
    outbox:
      options.outbox &&
      createOutboxWriter({ ...projectionEnvironment, ...options.outbox, dataSchemas: schemas }),
    outboxStatus: createForwarderStatus({ feed: 'outbox', pool: projectionPool, log, clock, metrics }),
    republisher: new Republisher({
      ...projectionEnvironment,
      ids,
      keyEnd: apiKeyEnd(pool),
      store: republicationStore,
      publishing:
        options.kafka && createPublishing({ kafka: options.kafka, dataSchemas: schemas, logger, metrics }),
    }),
    republicationStore,
    async close() {
      await log.close();
      await Promise.all([pool, projectionPool, leaderPool].map((open) => open.end()));
    },
  };
}
