import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { createPostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { postgresReadyQueue } from '../../src/adapters/postgres/ready-queue.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { createAcknowledge } from '../../src/commands/acknowledge.ts';
import { ClaimDispatcher } from '../../src/commands/claim-dispatcher.ts';
import { createClaimJobs } from '../../src/commands/claim-jobs.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { expireLeases } from '../../src/commands/expire-leases.ts';
import { fireTimers } from '../../src/commands/fire-timers.ts';
import { createHeartbeat } from '../../src/commands/heartbeat.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import { pause } from '../../src/commands/pause.ts';
import type { EventLog, LogPage, Position, StoredEvent } from '../../src/commands/ports.ts';
import { LOG_START } from '../../src/commands/ports.ts';
import { queueCodec } from '../../src/commands/queue-codec.ts';
import type { ReadyQueue } from '../../src/commands/ready-queue.ts';
import { RecentStates } from '../../src/commands/recent-states.ts';
import type { ClaimRequest, EnqueueRequest } from '../../src/commands/use-cases.ts';
import { WorkerWatch } from '../../src/commands/worker-watch.ts';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import type { QueueEvent } from '../../src/domain/queue/events.ts';
import { queueStream } from '../../src/domain/queue/stream.ts';
import { inTransaction } from '../../src/projections/in-transaction.ts';
import { readyJobs } from '../../src/projections/ready-jobs.ts';
import { lastPosition } from './last-position.ts';

const ACTOR = { id: 'test', auth: 'in_process' } as const;
export const CALLER = { actor: ACTOR, correlationId: 'test' };

/** A clock that goes with real time until it is moved on. */
export function movableClock() {
  let offset = 0;
  return {
    now: () => Date.now() + offset,
    advance(ms: number) {
      offset += ms;
    },
  };
}

export type MovableClock = ReturnType<typeof movableClock>;

/** One process's worth of dispatch on a database. Nothing runs by itself but what the test starts. */
export function dispatchProcess(
  pool: pg.Pool,
  clock: MovableClock = movableClock(),
  wrap: { log?: (log: EventLog) => EventLog; readyQueue?: (queue: ReadyQueue) => ReadyQueue } = {},
) {
  const plain = createPostgresEventLog({ pool });
  const log = wrap.log?.(plain) ?? plain;
  const readyQueue = wrap.readyQueue?.(postgresReadyQueue(pool)) ?? postgresReadyQueue(pool);
  const ids = systemIds();
  const handler = createJobHandler(log);
  const running = new RecentStates();
  const dispatcher = new ClaimDispatcher({ readyQueue, clock, ids });
  const workers = new WorkerWatch(readyQueue, clock);
  const deps = { log, handler, readyQueue, running, clock, ids, dispatcher, workers };
  const wake = () => dispatcher.wake();
  const claimJobs = createClaimJobs(deps);
  const enqueueJobs = createEnqueueJobs({ log, clock, ids });
  return {
    ...deps,
    pool,
    acknowledge: createAcknowledge(deps),
    heartbeat: createHeartbeat(deps),
    claimJobs,
    timers: fireTimers({ ...deps, wake }),
    sweeper: expireLeases({ ...deps, wake, everyMs: 20, graceMs: 0 }),
    projector: projector(pool, log, clock, wake),

    claim: (request: Partial<ClaimRequest> = {}, signal?: AbortSignal) =>
      claimJobs(
        CALLER,
        {
          workerId: 'worker',
          tenants: '*',
          queues: '*',
          max: 1,
          leaseMs: 30_000,
          waitMs: 0,
          ...request,
        },
        signal ? { signal } : {},
      ),

    async enqueue(tenantId: string, jobs: readonly Partial<EnqueueRequest>[]): Promise<readonly string[]> {
      const requests = jobs.map((job) => ({ type: 'test', payload: asJsonText('{}'), ...job }));
      const ids: string[] = [];
      for (let at = 0; at < requests.length; at += 1_000) {
        const results = await enqueueJobs({ ...CALLER, tenantId }, requests.slice(at, at + 1_000));
        for (const result of results) {
          if (result.kind !== 'created') throw new Error(`not created: ${JSON.stringify(result)}`);
          ids.push(result.snapshot.jobId);
        }
      }
      return ids;
    },

    async command(tenantId: string, jobId: string, command: JobCommand) {
      const [handled] = await handler.handle([
        { stream: jobStream(tenantId, jobId), command, metadata: metadata(tenantId, clock.now()) },
      ]);
      return handled;
    },

    async job(tenantId: string, jobId: string) {
      const { state } = await handler.load(jobStream(tenantId, jobId));
      if (state.status === 'none' || state.status === 'voided') throw new Error('no such job');
      return state;
    },

    async queueEvent(tenantId: string, queue: string, event: QueueEvent) {
      const stream = queueStream(tenantId, queue);
      const before = await log.readStream(stream);
      const events = [queueCodec.encode(event, metadata(tenantId, clock.now()))];
      await log.append([{ stream, expectedRevision: before.length - 1, events }]);
    },

    close: () => plain.close(),
  };
}

export type DispatchProcess = ReturnType<typeof dispatchProcess>;

/** Applies the log to the dispatch tables: step by step, or as a task that follows it. */
function projector(pool: pg.Pool, log: EventLog, clock: MovableClock, wake: () => void) {
  const projection = readyJobs({ clock });
  let position: Position = LOG_START;
  const step = async (limit = 2_000) => {
    const page = await log.readLog(position, limit, { prefixes: projection.prefixes });
    const events = page.events.map(decodeEvent).filter((event): event is DecodedEvent => event !== undefined);
    if (events.length > 0) {
      await inTransaction(pool, (client) =>
        projection.apply(events, {
          client,
          table: () => {
            throw new Error('has no tables of its own');
          },
        }),
      );
      wake();
    }
    position = page.position;
    return page.caughtUp;
  };
  return {
    async catchUp() {
      while (!(await step()) || position < (await lastPosition(pool)));
    },
    /** Leaves out what was before, as a process that starts with a checkpoint does. */
    async skipToHead() {
      position = await lastPosition(pool);
    },
    async follow(signal: AbortSignal) {
      while (!signal.aborted) if (await step()) await pause(2, signal);
    },
  };
}

const metadata = (tenantId: string, occurredAt: number) => ({
  tenantId,
  actor: ACTOR,
  correlationId: 'test',
  causationId: randomUUID(),
  occurredAt,
});

export async function wholeLog({ log, pool }: WrittenTo): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  let page: LogPage;
  let position = LOG_START;
  do {
    page = await log.readLog(position, 1_000);
    events.push(...page.events);
    position = page.position;
  } while (!page.caughtUp || position < (await lastPosition(pool)));
  return events;
}

/** A log, and where it is. */
export type WrittenTo = Pick<DispatchProcess, 'log' | 'pool'>;

/** Empties the tables that a crash of Postgres empties. */
export const emptyUnloggedTables = (pool: pg.Pool) =>
  pool.query(
    'truncate ready_jobs, ready_arrivals, dispatch_epoch, leases, timers, slot_counts, slot_changes',
  );
