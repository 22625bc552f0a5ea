import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Claim } from '../../src/commands/use-cases.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { CALLER, type DispatchProcess, dispatchProcess, wholeLog } from '../support/dispatch.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let one: DispatchProcess;

beforeEach(async () => {
  database = await createDatabase();
  one = dispatchProcess(database.pool);
});

afterEach(async () => {
  await one.close();
  await database[Symbol.asyncDispose]();
});

const tally = (names: readonly string[]) =>
  Object.fromEntries(Object.entries(Object.groupBy(names, (name) => name)).map(([k, v]) => [k, v?.length]));

describe('claiming', () => {
  it('gives the oldest jobs first, and hands over the payload as it came', async () => {
    const payload = asJsonText('{"big": 12345678901234567890, "b":1,"a":2}');
    const ids = await one.enqueue('acme', [{ payload }, {}, {}]);
    await one.projector.catchUp();
    const claims = await one.claim({ max: 2 });
    expect(claims.map((claim) => claim.snapshot.jobId)).toEqual(ids.slice(0, 2));
    expect(claims[0]?.snapshot.job).toMatchObject({ status: 'running', payload, attempt: 1 });
  });

  it('goes by priority before age, across the types and queues of a tenant', async () => {
    const ids = await one.enqueue('acme', [
      { priority: 9, type: 'a' },
      { priority: 5, type: 'b' },
      { priority: 5, type: 'a', queue: 'mail' },
      { priority: 5, type: 'b' },
      { priority: 1, type: 'c' },
    ]);
    await one.projector.catchUp();
    const order = [ids[4], ids[1], ids[2], ids[3], ids[0]];
    const claims = [...(await one.claim({ max: 3 })), ...(await one.claim({ max: 3 }))];
    expect(claims.map((claim) => claim.snapshot.jobId)).toEqual(order);
  });

  it('lets tenants take turns whatever their backlog', async () => {
    await one.enqueue(
      'big',
      Array.from({ length: 100 }, () => ({})),
    );
    await one.enqueue('small', [{}, {}, {}]);
    await one.projector.catchUp();
    const claims = await one.claim({ max: 10 });
    expect(tally(claims.map((claim) => claim.snapshot.tenantId))).toEqual({ big: 7, small: 3 });
    const single = [];
    await one.enqueue('small', [{}, {}]);
    await one.projector.catchUp();
    for (let i = 0; i < 4; i += 1) single.push(...(await one.claim()));
    expect(tally(single.map((claim) => claim.snapshot.tenantId))).toEqual({ big: 2, small: 2 });
  });

  it('takes only from the tenants, queues and types asked for', async () => {
    const [mail] = await one.enqueue('acme', [{ queue: 'mail', type: 'send' }]);
    const [report] = await one.enqueue('acme', [{ queue: 'slow', type: 'report' }]);
    await one.enqueue('other', [{ queue: 'mail', type: 'send' }]);
    await one.projector.catchUp();
    const tenants = ['acme'];
    const reports = await one.claim({ tenants, types: ['report'], max: 5 });
    expect(reports.map((claim) => claim.snapshot.jobId)).toEqual([report]);
    const mails = await one.claim({ tenants, queues: ['mail'], max: 5 });
    expect(mails.map((claim) => claim.snapshot.jobId)).toEqual([mail]);
    expect(await one.claim({ tenants, max: 5 })).toEqual([]);
  });

  it('never gives a job to two claimers, in one process or two', async () => {
    const two = dispatchProcess(database.pool);
    const ids = await one.enqueue(
      'acme',
      Array.from({ length: 1_000 }, (_, i) => ({ type: `t${i % 3}` })),
    );
    await one.projector.catchUp();
    const claimed: string[] = [];
    const claimer = async (process: DispatchProcess, workerId: string) => {
      for (let empty = 0; empty < 3; ) {
        const claims = await process.claim({ workerId, max: 7 });
        empty = claims.length === 0 ? empty + 1 : 0;
        claimed.push(...claims.map((claim) => claim.snapshot.jobId));
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => claimer(i % 2 ? one : two, `w${i}`)));
    expect(claimed.length).toBe(1_000);
    expect(new Set(claimed)).toEqual(new Set(ids));
    await two.close();
  });

  it('waits for a job and is woken by the projection', async () => {
    await using _follower = running(one.projector.follow);
    const waiting = one.claim({ waitMs: 20_000 });
    const [id] = await one.enqueue('acme', [{}]);
    expect((await waiting).map((claim) => claim.snapshot.jobId)).toEqual([id]);
  });

  it('finds jobs that another process made ready, none overlooked', async () => {
    const two = dispatchProcess(database.pool);
    await using _follower = running(two.projector.follow);
    const claimed: string[] = [];
    const ids: string[] = [];
    const worker = (async () => {
      while (claimed.length < 200) {
        const claims = await one.claim({ max: 5, waitMs: 20_000 });
        if (claims.length === 0) return;
        claimed.push(...claims.map((claim) => claim.snapshot.jobId));
      }
    })();
    for (let i = 0; i < 100; i += 1) ids.push(...(await two.enqueue(`t${i % 10}`, [{}, {}])));
    await worker;
    expect(new Set(claimed)).toEqual(new Set(ids));
    await two.close();
  });

  it('spreads few jobs over the workers that wait', async () => {
    await using _follower = running(one.projector.follow);
    const reserve = vi.spyOn(one.dispatcher, 'reserve');
    const waiting = ['a', 'b'].map((workerId) => one.claim({ workerId, max: 10, waitMs: 20_000 }));
    await waitUntil('both wait', () => reserve.mock.calls.length === 2);
    await one.enqueue('acme', [{}, {}]);
    expect((await Promise.all(waiting)).map((claims) => claims.length)).toEqual([1, 1]);
  });

  it('answers nothing to an aborted call, and leaves the job to the next', async () => {
    const abort = new AbortController();
    const waiting = one.claim({ waitMs: 20_000 }, abort.signal);
    abort.abort();
    expect(await waiting).toEqual([]);
    await one.enqueue('acme', [{}]);
    await one.projector.catchUp();
    expect(await one.claim({}, abort.signal)).toEqual([]);
    expect(await one.claim()).toHaveLength(1);
  });

  it('releases the attempt when the client vanishes between claim and answer', async () => {
    const abort = new AbortController();
    const other = dispatchProcess(database.pool, undefined, {
      log: (log) => ({
        ...log,
        readStreams: (names) => log.readStreams(names),
        readLog: (after, limit, filter) => log.readLog(after, limit, filter),
        append: async (requests) => {
          abort.abort();
          return log.append(requests);
        },
      }),
    });
    const [id = ''] = await one.enqueue('acme', [{}]);
    await one.projector.catchUp();
    expect(await other.claim({}, abort.signal)).toEqual([]);
    expect(await one.job('acme', id)).toMatchObject({ status: 'queued', spentAttempts: 0 });
    await one.projector.catchUp();
    const [claim] = await waitUntil('it is offered again', async () => {
      const claims = await one.claim();
      return claims.length > 0 && claims;
    });
    expect(claim?.snapshot.job.attempt).toBe(1);
    await other.close();
  });

  it('does not start what was cancelled or amended since it became ready', async () => {
    const [cancelled = '', amended = ''] = await one.enqueue('acme', [{}, {}]);
    await one.projector.catchUp();
    const at = one.clock.now();
    await one.command('acme', cancelled, { type: 'CancelJob', graceMs: 0, at });
    await one.command('acme', amended, { type: 'AmendJob', payload: asJsonText('"new"'), at });
    const claims = await one.claim({ max: 5 });
    expect(claims.map((claim) => [claim.snapshot.jobId, claim.snapshot.job.payload])).toEqual([
      [amended, '"new"'],
    ]);
    await one.projector.catchUp();
    expect(await one.claim({ max: 5 })).toEqual([]);
    const { rows } = await database.pool.query('select job_id, revision, expiring from leases');
    expect(rows).toEqual([{ job_id: amended, revision: 2, expiring: false }]);
  });

  it('gives a worker told to be quiet nothing, and tells it so', async () => {
    await one.enqueue('acme', [{}, {}]);
    await one.projector.catchUp();
    const tenants = ['acme'];
    const [claim] = await one.claim({ tenants });
    expect(await one.readyQueue.directWorker('acme', 'worker', 'quiet')).toBe(true);
    one.clock.advance(5_000);
    expect(await one.claim({ tenants })).toEqual([]);
    expect(await one.claim({ tenants, workerId: 'other' })).toHaveLength(1);
    const beat = await one.heartbeat(CALLER, {
      workerId: 'worker',
      tenants,
      leases: [{ leaseToken: claim?.leaseToken ?? '' }],
      leaseMs: 30_000,
    });
    expect(beat).toMatchObject({ directive: 'quiet', leases: [{ status: 'extended' }] });
    await one.readyQueue.forgetWorkers(one.clock.now() + 1_000);
    expect(await one.readyQueue.listWorkers('acme', 0)).toMatchObject([
      { workerId: 'worker', directive: 'quiet' },
    ]);
  });
});

describe('queues', () => {
  it('gives nothing from a paused queue until it is resumed', async () => {
    await one.enqueue('acme', [{ queue: 'mail' }, { queue: 'other' }]);
    await one.queueEvent('acme', 'mail', { type: 'QueuePaused', data: {} });
    await one.projector.catchUp();
    const claims = await one.claim({ max: 5 });
    expect(claims.map((claim) => claim.snapshot.job.queue)).toEqual(['other']);
    await one.queueEvent('acme', 'mail', { type: 'QueueResumed', data: {} });
    await one.projector.catchUp();
    expect(await one.claim({ max: 5 })).toHaveLength(1);
  });

  it('resumes a queue by itself when its pause ends', async () => {
    await one.enqueue('acme', [{}]);
    const until = one.clock.now() + 60_000;
    await one.queueEvent('acme', 'default', { type: 'QueuePaused', data: { until } });
    await one.projector.catchUp();
    expect(await one.claim()).toEqual([]);
    one.clock.advance(60_001);
    expect(await one.claim()).toHaveLength(1);
  });

  it('never runs more than the limit of a queue, with many claimers in two processes', async () => {
    const two = dispatchProcess(database.pool);
    await one.queueEvent('acme', 'default', { type: 'QueueLimitChanged', data: { concurrencyLimit: 7 } });
    await one.enqueue(
      'acme',
      Array.from({ length: 60 }, (_, i) => ({ type: `t${i % 2}` })),
    );
    await using _follower = running(one.projector.follow);
    await waitUntil('all are ready', async () => {
      const { rows } = await database.pool.query('select count(*)::int as n from ready_jobs');
      return rows[0]?.n === 60;
    });
    // Nothing ends before the limit is reached.
    const held: Claim[] = [];
    await waitUntil('as many run as may', async () => {
      held.push(...(await (held.length < 3 ? one : two).claim({ max: 3 })));
      return held.length >= 7;
    });
    let done = held.length;
    const worker = async (process: DispatchProcess, workerId: string) => {
      while (done < 60) {
        const claims = await process.claim({ workerId, max: 3, waitMs: 100 });
        done += claims.length;
        await process.acknowledge(
          CALLER,
          '*',
          claims.map(({ leaseToken }) => ({ leaseToken, outcome: 'completed' })),
        );
      }
    };
    await Promise.all([
      ...Array.from({ length: 8 }, (_, i) => worker(i % 2 ? one : two, `w${i}`)),
      one.acknowledge(
        CALLER,
        '*',
        held.map(({ leaseToken }) => ({ leaseToken, outcome: 'completed' })),
      ),
    ]);
    const events = await wholeLog(one);
    let runs = 0;
    const history = events.map(({ type }) => {
      if (type === 'JobStarted') runs += 1;
      if (type === 'JobCompleted') runs -= 1;
      return runs;
    });
    expect(history.at(-1)).toBe(0);
    expect(Math.max(...history)).toBe(7);
    expect(events.filter(({ type }) => type === 'JobCompleted')).toHaveLength(60);
    await two.close();
  });

  it('counts attempts that ran before the limit was set', async () => {
    await one.enqueue(
      'acme',
      Array.from({ length: 10 }, () => ({})),
    );
    await one.projector.catchUp();
    expect(await one.claim({ max: 4 })).toHaveLength(4);
    await one.queueEvent('acme', 'default', { type: 'QueueLimitChanged', data: { concurrencyLimit: 5 } });
    await one.projector.catchUp();
    expect(await one.claim({ max: 10 })).toHaveLength(1);
    await one.queueEvent('acme', 'default', { type: 'QueueLimitChanged', data: { concurrencyLimit: null } });
    await one.projector.catchUp();
    expect(await one.claim({ max: 10 })).toHaveLength(5);
  });
});
