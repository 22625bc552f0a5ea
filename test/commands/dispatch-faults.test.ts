import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventLog } from '../../src/commands/ports.ts';
import { LogOverloadedError, LogUnavailableError } from '../../src/commands/ports.ts';
import type { ReadyQueue } from '../../src/commands/ready-queue.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  CALLER,
  type DispatchProcess,
  dispatchProcess,
  type MovableClock,
  movableClock,
  wholeLog,
} from '../support/dispatch.ts';
import { holdTenant } from '../support/holding.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let clock: MovableClock;
let sound: DispatchProcess;
let faulty: DispatchProcess;
let fault: {
  at:
    | 'nowhere'
    | 'overload'
    | 'before append'
    | 'after append'
    | 'before reserve'
    | 'after reserve'
    | 'after timers';
};

beforeEach(async () => {
  database = await createDatabase();
  clock = movableClock();
  fault = { at: 'nowhere' };
  sound = dispatchProcess(database.pool, clock);
  faulty = dispatchProcess(database.pool, clock, { log: faultyLog, readyQueue: faultyQueue });
});

afterEach(async () => {
  await sound.close();
  await faulty.close();
  await database[Symbol.asyncDispose]();
});

const faultyLog = (log: EventLog): EventLog => ({
  readStream: (stream, options) => log.readStream(stream, options),
  readStreams: (streams) => log.readStreams(streams),
  readLog: (after, limit, filter) => log.readLog(after, limit, filter),
  subscribe: (after, options) => log.subscribe(after, options),
  head: () => log.head(),
  truncate: (stream, before) => log.truncate(stream, before),
  async append(requests) {
    if (fault.at === 'overload') throw new LogOverloadedError(1_000);
    if (fault.at === 'before append') throw new LogUnavailableError('not reached');
    const outcomes = await log.append(requests);
    if (fault.at === 'after append') throw new LogUnavailableError('no answer');
    return outcomes;
  },
});

const faultyQueue = (queue: ReadyQueue): ReadyQueue => ({
  ...queue,
  async reserve(...args) {
    if (fault.at === 'before reserve') throw new Error('no connection');
    const answer = await queue.reserve(...args);
    if (fault.at === 'after reserve') throw new Error('connection lost');
    return answer;
  },
  async takeDueTimers(...args) {
    const due = await queue.takeDueTimers(...args);
    if (fault.at === 'after timers' && due.length > 0) throw new Error('connection lost');
    return due;
  },
});

async function enqueued(count: number) {
  const ids = await sound.enqueue(
    'acme',
    Array.from({ length: count }, () => ({ retry: { kind: 'fixed', delayMs: 0 } })),
  );
  await sound.projector.catchUp();
  return ids;
}

/** Claims and completes until every job is done; answers how often each was started. */
async function finishAll(ids: readonly string[]) {
  await using _follower = running(sound.projector.follow);
  await using _sweeper = running(sound.sweeper);
  await using _timers = running(sound.timers);
  await waitUntil('all jobs are done', async () => {
    const claims = await sound.claim({ max: 100 });
    await sound.acknowledge(
      CALLER,
      '*',
      claims.map(({ leaseToken }) => ({ leaseToken, outcome: 'completed' })),
    );
    const jobs = await Promise.all(ids.map((id) => sound.job('acme', id)));
    return jobs.every(({ status }) => status === 'completed');
  });
  const events = await wholeLog(sound);
  return events.filter(({ type }) => type === 'JobStarted').length;
}

describe('a claim that fails', () => {
  it('because the log takes nothing in offers the jobs again at once', async () => {
    const ids = await enqueued(20);
    fault.at = 'overload';
    await expect(faulty.claim({ max: 20 })).rejects.toThrow('waiting to be written');
    const claims = await sound.claim({ max: 50 });
    expect(claims.map((claim) => claim.snapshot.jobId)).toEqual(ids);
  });

  it('before its events are written offers the jobs again when the reservation has run out', async () => {
    const ids = await enqueued(20);
    fault.at = 'before append';
    await expect(faulty.claim({ max: 20 })).rejects.toThrow('not reached');
    expect(await sound.claim({ max: 50 })).toEqual([]);
    clock.advance(15_001);
    expect(await finishAll(ids)).toBe(20);
  });

  it.each(['before append', 'after append'] as const)(
    "%s keeps its slot of the tenant's limit until it is known whether the attempt runs",
    async (at) => {
      await holdTenant(sound, 'acme', { runningJobs: 1 });
      const ids = await enqueued(2);
      fault.at = at;
      await expect(faulty.claim()).rejects.toThrow(LogUnavailableError);
      // Before anybody has read the log, and after.
      expect(await sound.claim({ max: 5 })).toEqual([]);
      await sound.projector.catchUp();
      expect(await sound.claim({ max: 5 })).toEqual([]);
      clock.advance(30_001);
      expect(await finishAll(ids)).toBe(at === 'after append' ? 3 : 2);
    },
  );

  it('to look for jobs until its time is up says so: nobody knows whether there are any', async () => {
    await enqueued(1);
    fault.at = 'before reserve';
    await expect(faulty.claim()).rejects.toThrow('no connection');
    await expect(faulty.claim({ waitMs: 600 })).rejects.toThrow('no connection');
  });

  it('to look at first gets its job, or learns that there is none, once looking works again', async () => {
    let looks = 0;
    const recovering = dispatchProcess(database.pool, clock, {
      readyQueue: (queue) => ({
        ...queue,
        async arrivals(...args) {
          looks += 1;
          if (looks < 3) throw new Error('no connection');
          return queue.arrivals(...args);
        },
      }),
    });
    expect(await recovering.claim({ waitMs: 4_000 })).toEqual([]);
    const [id] = await enqueued(1);
    looks = 0;
    const [claim] = await recovering.claim({ waitMs: 20_000 });
    expect(claim?.snapshot.jobId).toBe(id);
    await recovering.close();
  });

  it('after its events were written runs the jobs again once their leases ran out, not before', async () => {
    const ids = await enqueued(20);
    fault.at = 'after append';
    await expect(faulty.claim({ max: 20 })).rejects.toThrow('no answer');
    expect(await sound.claim({ max: 50 })).toEqual([]);
    await sound.projector.catchUp();
    expect(await sound.claim({ max: 50 })).toEqual([]);
    clock.advance(30_001);
    expect(await finishAll(ids)).toBe(40);
  });

  it('after the jobs were reserved loses none of them', async () => {
    const ids = await enqueued(20);
    fault.at = 'after reserve';
    await expect(faulty.claim({ max: 5 })).rejects.toThrow('connection lost');
    expect(await sound.claim({ max: 50 })).toHaveLength(15);
    clock.advance(30_001);
    expect(await finishAll(ids)).toBe(35);
  });

  it('does not hold up others while its reservation lasts, nor win later over who came after', async () => {
    const ids = await enqueued(1);
    const [reservation] = await sound.dispatcher.reserve({
      workerId: 'slow',
      tenants: '*',
      queues: '*',
      max: 1,
      leaseMs: 30_000,
      waitMs: 0,
    });
    if (!reservation) throw new Error('nothing reserved');
    clock.advance(15_001);
    await using sweeper = running(sound.sweeper);
    const [claim] = await sound.claim({ workerId: 'quick', waitMs: 20_000 });
    expect(claim?.snapshot.jobId).toBe(ids[0]);
    const late = await sound.command('acme', reservation.jobId, {
      type: 'StartJob',
      workerId: 'slow',
      leaseId: reservation.leaseId,
      leaseMs: 30_000,
      at: clock.now(),
    });
    expect(late).toMatchObject({ kind: 'rejected', reason: 'job_running' });
    await sweeper[Symbol.asyncDispose]();
  });
});

describe('stale rows', () => {
  it('are proposals that lose: a job that runs is not started twice and keeps its lease', async () => {
    const [id = ''] = await enqueued(1);
    const [claim] = await sound.claim();
    await database.pool.query(
      `insert into ready_jobs (tenant_id, queue, type, priority, seq, job_id, revision, snapshot, ready_since)
       values ('acme', 'default', 'test', 5, nextval('ready_blocks') * 65536, $1, 1, null, 0)`,
      [id],
    );
    await database.pool.query(
      `insert into ready_arrivals values (nextval('ready_blocks'), 'acme', 'default', 'test', 5, 0)`,
    );
    expect(await sound.claim({ workerId: 'thief' })).toEqual([]);
    const { rows } = await database.pool.query('select worker_id from leases');
    expect(rows).toEqual([{ worker_id: 'worker' }]);
    const { leases } = await sound.heartbeat(CALLER, {
      workerId: 'worker',
      leases: [{ leaseToken: claim?.leaseToken ?? '' }],
      leaseMs: 30_000,
    });
    expect(leases[0]?.status).toBe('extended');
  });

  it('of finished jobs vanish when they are claimed', async () => {
    const ids = await enqueued(3);
    const late = dispatchProcess(database.pool, clock);
    expect(await finishAll(ids)).toBe(3);
    // A projection that starts over proposes what was ready then.
    await late.projector.catchUp();
    await database.pool.query(
      `insert into ready_jobs (tenant_id, queue, type, priority, seq, job_id, revision, snapshot, ready_since)
       select 'acme', 'default', 'test', 5, nextval('ready_blocks') * 65536, unnest($1::text[]), 0, null, 0`,
      [ids],
    );
    expect(await late.claim({ max: 10 })).toEqual([]);
    const { rows } = await database.pool.query(
      'select job_id from ready_jobs union all select job_id from leases',
    );
    expect(rows).toEqual([]);
    await late.close();
  });

  it('of a repeated projection change nothing', async () => {
    const ids = await enqueued(10);
    const claims = await sound.claim({ max: 4 });
    await sound.projector.catchUp();
    const again = dispatchProcess(database.pool, clock);
    await again.projector.catchUp();
    const rest = await sound.claim({ max: 50 });
    expect([...claims, ...rest].map((claim) => claim.snapshot.jobId)).toEqual(ids);
    await again.close();
  });
});

describe('timers', () => {
  it('that were taken but not carried out come again', async () => {
    const [id = ''] = await sound.enqueue('acme', [{ deadlineAt: clock.now() + 1_000 }]);
    await sound.projector.catchUp();
    clock.advance(1_001);
    fault.at = 'after timers';
    const { signal } = new AbortController();
    await expect(faulty.timers(signal)).rejects.toThrow('connection lost');
    clock.advance(10_001);
    await using _timers = running(sound.timers);
    await waitUntil('the job is buried', async () => {
      return (await sound.job('acme', id)).status === 'dead_lettered';
    });
  });
});
