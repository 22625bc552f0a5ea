import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLead } from '../../src/adapters/postgres/leadership.ts';
import { postgresLeaseAudit } from '../../src/adapters/postgres/ready-queue-audit.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { reconcileLeases } from '../../src/commands/reconcile-leases.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { jobsProjection } from '../../src/projections/jobs.ts';
import { readyJobs } from '../../src/projections/ready-jobs.ts';
import { runProjections } from '../../src/projections/runner.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { CALLER, type DispatchProcess, dispatchProcess } from '../support/dispatch.ts';
import { holdTenant } from '../support/holding.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let one: DispatchProcess;
let reconciled: Record<string, number>;

beforeEach(async () => {
  database = await createDatabase();
  one = dispatchProcess(database.pool);
  reconciled = {};
});

afterEach(async () => {
  await one.close();
  await database[Symbol.asyncDispose]();
});

const project = () =>
  running((signal) =>
    runProjections(
      {
        environment: {
          pool: database.pool,
          log: one.log,
          decode: decodeEvent,
          lead: createLead({ pool: database.pool, holder: 'test' }),
          clock: systemClock,
        },
        projections: [jobsProjection, readyJobs({ clock: one.clock })],
        advanced: () => one.dispatcher.wake(),
      },
      signal,
    ),
  );

const reconcile = (audit = postgresLeaseAudit(database.pool)) =>
  running(
    reconcileLeases({
      ...one,
      audit,
      everyMs: 20,
      wake: () => one.dispatcher.wake(),
      metrics: {
        count: (_name, by, labels) => {
          const kind = labels?.kind ?? '';
          reconciled[kind] = (reconciled[kind] ?? 0) + (by ?? 1);
        },
        gauge: () => undefined,
        gauges: () => undefined,
        observe: () => undefined,
      },
    }),
  );

async function start(tenantId: string, jobs: number) {
  await one.enqueue(
    tenantId,
    Array.from({ length: jobs }, () => ({})),
  );
  const claims: Awaited<ReturnType<typeof one.claim>>[number][] = [];
  while (claims.length < jobs) claims.push(...(await one.claim({ max: jobs, waitMs: 10_000 })));
  await waitUntil('the read model shows them as running', async () => {
    const { rows } = await database.pool.query(`select from jobs where status = 'running'`);
    return rows.length === jobs;
  });
  return claims.map((claim) => ({ ...claim, jobId: claim.snapshot.jobId }));
}

const leases = async () => {
  const { rows } = await database.pool.query<{ job_id: string }>('select job_id from leases order by job_id');
  return rows.map((row) => row.job_id);
};

it('an attempt whose lease was lost gets one again, and ends with LeaseExpired when nobody is heard of', async () => {
  await using _projections = project();
  const [lost, kept] = await start('acme', 2);
  if (!lost || !kept) throw new Error('nothing was started');
  await database.pool.query('delete from leases where job_id = $1', [lost.jobId]);
  await using _reconciler = reconcile();
  await waitUntil('it has a lease', async () => (await leases()).length === 2);
  await waitUntil('that was counted', () => (reconciled.missing ?? 0) > 0);
  expect(reconciled).toMatchObject({ missing: 1 });
  one.clock.advance(31_000);
  await one.heartbeat(CALLER, {
    workerId: 'worker',
    leases: [{ leaseToken: kept.leaseToken }],
    leaseMs: 30_000,
    tenants: '*',
  });
  await using _sweeper = running(one.sweeper);
  const types = await waitUntil('the attempt was ended', async () => {
    const events = await one.log.readStream(jobStream('acme', lost.jobId));
    return events.length > 2 && events.map(({ type }) => type);
  });
  expect(types).toEqual(['JobEnqueued', 'JobStarted', 'LeaseExpired', 'JobRetried']);
  expect((await one.job('acme', kept.jobId)).status).toBe('running');
});

it('an attempt whose lease was lost goes on when its worker is alive', async () => {
  await using _projections = project();
  const [lost] = await start('acme', 1);
  if (!lost) throw new Error('nothing was started');
  await database.pool.query('delete from leases');
  await using _reconciler = reconcile();
  await waitUntil('it has a lease', async () => (await leases()).length === 1);
  const [done] = await one.acknowledge(CALLER, '*', [{ leaseToken: lost.leaseToken, outcome: 'completed' }]);
  expect(done).toMatchObject({ kind: 'acknowledged' });
  await waitUntil('the slot is free', async () => (await leases()).length === 0);
});

it('leases that no attempt holds are ended, and their slots are given out again', async () => {
  await using _projections = project();
  await holdTenant(one, 'acme', { runningJobs: 2 });
  await one.queueEvent('acme', 'default', { type: 'QueueLimitChanged', data: { concurrencyLimit: 2 } });
  const [first, second] = await start('acme', 2);
  if (!first || !second) throw new Error('nothing was started');
  const [waiting] = await one.enqueue('acme', [{}]);
  await one.acknowledge(
    CALLER,
    '*',
    [first, second].map((claim) => ({ ...claim, outcome: 'completed' })),
  );
  await waitUntil('all slots are free', async () => (await leases()).length === 0);
  for (const limited of [true, false]) {
    await database.pool.query(
      `insert into leases (
         tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled, limited, tenant_limited
       )
       values ('acme', $1, 1, 'default', 'ghost', 'ghost', $2, true, $3, $3)`,
      [limited ? first.jobId : second.jobId, one.clock.now() + 3_600_000, limited],
    );
  }
  await using _reconciler = reconcile();
  const [next] = await one.claim({ max: 5, waitMs: 10_000 });
  expect(next?.snapshot.jobId).toBe(waiting);
  await waitUntil('the ghosts are gone', async () => (await leases()).length === 1);
  await waitUntil('that was counted', () => (reconciled.orphan ?? 0) >= 2);
  const { rows } = await database.pool.query('select * from wrong_slot_counts(10)');
  expect(rows).toEqual([]);
  expect(reconciled).toMatchObject({ orphan: 2, missing: 0 });
  expect(reconciled.count).toBeGreaterThan(0);
});

it('counts that are wrong are counted anew', async () => {
  await using _projections = project();
  await holdTenant(one, 'acme', { runningJobs: 3 });
  await start('acme', 1);
  await database.pool.query('update slot_counts set running = 99');
  const jobs = await one.enqueue('acme', [{}, {}, {}]);
  await waitUntil('all are in line', async () => {
    const { rows } = await database.pool.query('select from ready_jobs');
    return rows.length === jobs.length;
  });
  expect(await one.claim({ max: 5, waitMs: 300 })).toEqual([]);
  await using _reconciler = reconcile();
  const claims = await one.claim({ max: 5, waitMs: 10_000 });
  expect(claims.map(({ snapshot }) => snapshot.jobId)).toEqual(jobs.slice(0, 2));
});

it('leaves jobs alone that run as they should, however often it looks', async () => {
  await using _projections = project();
  await start('warm-up', 1);
  await using _reconciler = reconcile();
  await holdTenant(one, 'acme', { runningJobs: 3 });
  const ids = await one.enqueue(
    'acme',
    Array.from({ length: 60 }, () => ({})),
  );
  let finished = 0;
  while (finished < ids.length) {
    const claims = await one.claim({ tenants: ['acme'], max: 3, waitMs: 10_000 });
    const acks = claims.map(({ leaseToken }) => ({ leaseToken, outcome: 'completed' }) as const);
    const results = await one.acknowledge(CALLER, '*', acks);
    finished += results.filter(({ kind }) => kind === 'acknowledged').length;
  }
  const streams = await one.log.readStreams(ids.map((id) => jobStream('acme', id)));
  const lives = [...streams.values()].map((events) => events.map(({ type }) => type).join(' '));
  expect(new Set(lives)).toEqual(new Set(['JobEnqueued JobStarted JobCompleted']));
  expect(reconciled.missing ?? 0).toBe(0);
  expect(reconciled.count ?? 0).toBe(0);
});

it('an attempt whose lease was lost gets one again also when the clock went back meanwhile', async () => {
  await using _projections = project();
  const [lost] = await start('acme', 1);
  await database.pool.query('delete from leases');
  const audit = postgresLeaseAudit(database.pool);
  let looks = 0;
  await using _reconciler = reconcile({
    ...audit,
    async withoutLease(limit) {
      const found = await audit.withoutLease(limit);
      looks += 1;
      if (looks === 1) one.clock.advance(-86_400_000);
      return found;
    },
  });
  const isBack = async () => (await leases())[0] === lost?.jobId;
  await waitUntil('it has a lease again', isBack, { timeoutMs: 10_000 });
});
