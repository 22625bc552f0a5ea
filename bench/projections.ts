/**
 * CPU that the read models cost per job, in Node and in Postgres: `node bench/projections.ts [jobs]` with DATABASE_URL.
 * Postgres' share is what /proc says of its backend, so the server must run on this machine.
 */
import { readFileSync } from 'node:fs';
import { systemClock, systemIds } from '../src/adapters/system.ts';
import type { DecodedEvent } from '../src/commands/decoded-event.ts';
import type { JobEvent } from '../src/domain/job/events.ts';
import { jobStream } from '../src/domain/job/stream.ts';
import { asJsonText } from '../src/domain/json-text.ts';
import { APPLY_SETTINGS } from '../src/projections/apply-batch.ts';
import { deadLettersProjection } from '../src/projections/dead-letters.ts';
import { createGeneration, createIndexes, writeTo } from '../src/projections/generations.ts';
import { jobsProjection } from '../src/projections/jobs.ts';
import type { Projection } from '../src/projections/projection.ts';
import { queueStatsProjection } from '../src/projections/queue-stats.ts';
import { createDatabase } from '../test/support/database.ts';

const JOBS = Number(process.argv[2] ?? 50_000);
const BATCH = 500;
const TICKS_PER_SECOND = 100;

const identity = { type: 'mail.send', queue: 'default', priority: 5 };
const ids = systemIds(systemClock);

const enqueued: JobEvent = {
  type: 'JobEnqueued',
  data: {
    ...identity,
    payload: asJsonText('null'),
    maxAttempts: 3,
    retry: { kind: 'exponential', baseMs: 1000, factor: 2, maxMs: 3_600_000 },
    tags: [],
  },
};
const started: JobEvent = {
  type: 'JobStarted',
  data: { ...identity, attempt: 1, workerId: 'worker-1', leaseId: 'x'.repeat(22), leaseMs: 30_000 },
};
const completed: JobEvent = { type: 'JobCompleted', data: { ...identity, attempt: 1 } };

function entry(jobId: string, revision: number, event: JobEvent): DecodedEvent {
  const at = Date.now();
  const tenantId = 'bench';
  const actor = { id: 'bench', auth: 'in_process' } as const;
  const metadata = { tenantId, actor, correlationId: 'c', causationId: 'c', occurredAt: at };
  const stream = jobStream(tenantId, jobId);
  return {
    aggregate: 'job',
    stream,
    tenantId,
    jobId,
    revision,
    position: 0n,
    recordedAt: at,
    metadata,
    event,
  };
}

function* batches(jobIds: readonly string[], steps: readonly (readonly [number, JobEvent])[]) {
  for (let at = 0; at < jobIds.length; at += BATCH) {
    const part = jobIds.slice(at, at + BATCH);
    yield steps.flatMap(([revision, event]) => part.map((jobId) => entry(jobId, revision, event)));
  }
}

function backendSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

await using database = await createDatabase();
const client = await database.pool.connect();
const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
const pid = rows[0]?.pid ?? 0;

interface Cost {
  readonly node: number;
  readonly postgres: number;
  readonly perSecond: number;
}

async function measure(
  projection: Projection,
  write: ReturnType<typeof writeTo>,
  all: readonly (readonly DecodedEvent[])[],
): Promise<Cost> {
  const [wall, node, postgres] = [performance.now(), process.cpuUsage(), backendSeconds(pid)];
  for (const batch of all) {
    await client.query(`begin; ${APPLY_SETTINGS}`);
    await projection.apply(batch, write);
    await client.query('commit');
  }
  const used = process.cpuUsage(node);
  return {
    node: (used.user + used.system) / JOBS,
    postgres: ((backendSeconds(pid) - postgres) * 1e6) / JOBS,
    perSecond: JOBS / ((performance.now() - wall) / 1000),
  };
}

const line = (...cells: readonly (string | number)[]) =>
  console.log(cells.map((cell, index) => String(cell).padEnd(index === 0 ? 44 : 12)).join(''));

line('microseconds of CPU per job', 'Node', 'Postgres', 'both', 'jobs/s');
const totals = new Map<string, number>();

for (const projection of [jobsProjection, deadLettersProjection, queueStatsProjection]) {
  const run = async (
    indexed: boolean,
    scenarios: readonly [string, readonly (readonly [number, JobEvent])[]][],
  ) => {
    const generation = await createGeneration(client, projection, 'scratch');
    if (indexed) await createIndexes(client, projection, generation);
    const jobIds = Array.from({ length: JOBS }, () => ids.next());
    for (const [name, steps] of scenarios) {
      const cost = await measure(projection, writeTo(client, generation), [...batches(jobIds, steps)]);
      const both = cost.node + cost.postgres;
      totals.set(name, (totals.get(name) ?? 0) + both);
      line(
        `${projection.name}: ${name}`,
        cost.node.toFixed(1),
        cost.postgres.toFixed(1),
        both.toFixed(1),
        Math.round(cost.perSecond),
      );
    }
  };
  const whole = [
    [0, enqueued],
    [1, started],
    [2, completed],
  ] as const;
  await run(false, [['rebuild, three events folded', whole]]);
  await run(true, [['live, three events folded', whole]]);
  await run(true, [
    ['live, enqueue', [[0, enqueued]]],
    ['live, start and complete folded', whole.slice(1)],
  ]);
  await run(true, [
    ['live, enqueue', [[0, enqueued]]],
    ['live, start', [[1, started]]],
    ['live, complete', [[2, completed]]],
  ]);
}
for (const [name, cost] of totals)
  line(`all: ${name}${name === 'live, enqueue' ? ' (twice)' : ''}`, '', '', cost.toFixed(1));
client.release();
