import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQueries } from '../../src/adapters/postgres/queries/queries.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { deadLettersProjection } from '../../src/projections/dead-letters.ts';
import { jobsProjection } from '../../src/projections/jobs.ts';
import {
  InvalidCursorError,
  type JobFilter,
  type JobRow,
  type Queries,
} from '../../src/projections/queries.ts';
import { queueStatsProjection } from '../../src/projections/queue-stats.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { completed, deadLettered, enqueued, failed, retried, started } from '../support/job-events.ts';
import { decodedJobEvent } from '../support/job-histories.ts';
import { Projected } from '../support/projected.ts';

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

let database: TestDatabase;
let projected: Projected;
let queries: Queries;

beforeAll(async () => {
  database = await createDatabase();
  projected = await Projected.prepare(database.pool, [
    jobsProjection,
    deadLettersProjection,
    queueStatsProjection,
  ]);
  queries = createQueries({ pool: database.pool, clock: { now: () => NOW } });
});
afterAll(() => database[Symbol.asyncDispose]());

/** A UUIDv7 of a time. */
const idOf = (at: number, number: number): string => {
  const hex = at.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
};

function life(tenantId: string, jobId: string, at: number, ...events: readonly JobEvent[]): DecodedEvent[] {
  return events.map((event, revision) => decodedJobEvent(tenantId, jobId, revision, event, at));
}

const idsOf = (rows: readonly { readonly jobId: string }[]) => rows.map(({ jobId }) => jobId);

async function walk(tenantId: string, filter: JobFilter, limit: number): Promise<readonly JobRow[]> {
  const rows: JobRow[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 1_000; pages += 1) {
    const page = await queries.listJobs(tenantId, filter, { limit, cursor });
    rows.push(...page.rows);
    if (page.nextCursor === null) return rows;
    cursor = page.nextCursor;
  }
  throw new Error('the list has no end');
}

describe('a list of jobs', () => {
  const tenant = 'lists';
  const at = (index: number) => NOW - HOUR + index * 1_000;
  const boom = { type: 'TypeError', message: 'boom', fingerprint: 'f-boom' };
  const kinds: readonly ((id: string, index: number) => DecodedEvent[])[] = [
    (id, index) =>
      life(tenant, id, at(index), enqueued({ queue: 'mail', type: 'mail.news', tags: ['vip', 'a"b'] })),
    (id, index) =>
      life(
        tenant,
        id,
        at(index),
        enqueued({ queue: 'mail', type: 'mail.send' }),
        started({ workerId: 'w7', queue: 'mail', type: 'mail.send' }),
      ),
    (id, index) => life(tenant, id, at(index), enqueued({ tags: ['vip'] }), started(), completed()),
    // Its time has come by now, but no event says so.
    (id, index) => life(tenant, id, at(index), enqueued({ runAt: NOW - 1 })),
    (id, index) => life(tenant, id, at(index), enqueued({ runAt: NOW + HOUR, queue: 'later' })),
    (id, index) =>
      life(
        tenant,
        id,
        at(index),
        enqueued(),
        started(),
        failed({ error: boom }),
        retried({ runAt: NOW + 1 }),
      ),
    (id, index) =>
      life(tenant, id, at(index), enqueued(), started(), failed({ error: boom }), retried({ runAt: NOW })),
  ];
  let all: readonly JobRow[];

  beforeAll(async () => {
    const events = Array.from({ length: 70 }, (_, index) => {
      const kind = kinds[index % kinds.length];
      return kind ? kind(idOf(at(index), index), index) : [];
    });
    await projected.apply(events.flat());
    await projected.apply(life('stranger', idOf(NOW, 1), NOW, enqueued({ queue: 'mail', tags: ['vip'] })));
    all = await walk(tenant, {}, 200);
  });

  it('has every job of the tenant, newest first, and nobody else’s', () => {
    expect(idsOf(all)).toEqual(Array.from({ length: 70 }, (_, index) => idOf(at(69 - index), 69 - index)));
  });

  const filters: readonly (readonly [string, JobFilter, (row: JobRow) => boolean])[] = [
    ['queued, with those whose time has come', { status: ['queued'] }, ({ status }) => status === 'queued'],
    [
      'scheduled, without those whose time has come',
      { status: ['scheduled'] },
      ({ status }) => status === 'scheduled',
    ],
    ['retrying', { status: ['retrying'] }, ({ status }) => status === 'retrying'],
    [
      'several statuses',
      { status: ['queued', 'scheduled', 'running'] },
      ({ status }) => ['queued', 'scheduled', 'running'].includes(status),
    ],
    ['queue', { queue: 'mail' }, ({ queue }) => queue === 'mail'],
    ['type', { type: 'mail.news' }, ({ type }) => type === 'mail.news'],
    [
      'queue and status',
      { queue: 'mail', status: ['running'] },
      ({ queue, status }) => queue === 'mail' && status === 'running',
    ],
    ['tag', { tag: 'vip' }, ({ tags }) => tags.includes('vip')],
    ['tag with a quote', { tag: 'a"b' }, ({ tags }) => tags.includes('a"b')],
    [
      'tag and status',
      { tag: 'vip', status: ['completed'] },
      ({ tags, status }) => tags.includes('vip') && status === 'completed',
    ],
    ['worker', { workerId: 'w7' }, ({ workerId }) => workerId === 'w7'],
    ['error', { error: 'f-boom' }, ({ lastError }) => lastError?.fingerprint === 'f-boom'],
    [
      'error and status',
      { error: 'f-boom', status: ['queued'] },
      ({ lastError, status }) => lastError !== null && status === 'queued',
    ],
    ['created after', { createdAfter: at(60) }, ({ enqueuedAt }) => enqueuedAt >= at(60)],
    ['created before', { createdBefore: at(5) }, ({ enqueuedAt }) => enqueuedAt < at(5)],
    [
      'created between, of a status',
      { createdAfter: at(10), createdBefore: at(40), status: ['completed', 'queued'] },
      ({ enqueuedAt, status }) =>
        enqueuedAt >= at(10) && enqueuedAt < at(40) && ['completed', 'queued'].includes(status),
    ],
  ];

  it.each(filters)(
    'by %s holds exactly the jobs that match, page by page',
    async (_name, filter, matches) => {
      const expected = all.filter(matches);
      expect(expected.length).toBeGreaterThan(0);
      expect(expected.length).toBeLessThan(all.length);
      expect(await walk(tenant, filter, 4)).toEqual(expected);
    },
  );

  it('shows a scheduled or retrying job whose time has come as queued', () => {
    expect(all.filter(({ runAt, status }) => runAt <= NOW && status !== 'queued')).toEqual(
      all.filter(({ status }) => status === 'running' || status === 'completed'),
    );
  });

  it('is empty for statuses that no job has and for an empty choice of statuses', async () => {
    expect((await queries.listJobs(tenant, { status: ['purged'] }, { limit: 10 })).rows).toEqual([]);
    expect((await queries.listJobs(tenant, { status: [] }, { limit: 10 })).rows).toEqual([]);
  });

  it('shows a foreign tenant none of it, by whatever filter', async () => {
    for (const [, filter] of filters) expect(await walk('nobody', filter, 10)).toEqual([]);
    const page = await queries.listJobs(tenant, {}, { limit: 5 });
    const cursor = page.nextCursor ?? undefined;
    expect((await queries.listJobs('nobody', {}, { limit: 10, cursor })).rows).toEqual([]);
  });

  it('visits each job once, forwards and back again, while others are added', async () => {
    const tenantId = 'busy';
    const ids = Array.from({ length: 30 }, (_, index) => idOf(NOW, index));
    await projected.apply(ids.flatMap((id) => life(tenantId, id, NOW, enqueued())));
    const filter: JobFilter = { status: ['queued'] };
    const seen: string[][] = [];
    let page = await queries.listJobs(tenantId, filter, { limit: 7 });
    for (let number = 1; ; number += 1) {
      seen.push(idsOf(page.rows));
      await projected.apply(life(tenantId, idOf(NOW + 1, number), NOW, enqueued()));
      if (page.nextCursor === null) break;
      page = await queries.listJobs(tenantId, filter, { limit: 7, cursor: page.nextCursor });
    }
    expect(seen.flat()).toEqual(ids.toReversed());
    for (const expected of seen.toReversed().slice(1)) {
      page = await queries.listJobs(tenantId, filter, { limit: 7, cursor: page.prevCursor ?? '' });
      expect(idsOf(page.rows)).toEqual(expected);
    }
    page = await queries.listJobs(tenantId, filter, { limit: 7, cursor: page.prevCursor ?? '' });
    expect(idsOf(page.rows)).toEqual([5, 4, 3, 2, 1].map((number) => idOf(NOW + 1, number)));
    expect(page.prevCursor).toBeNull();
  });

  it.each([
    ['empty', ''],
    ['not base64url', '!!!'],
    ['not JSON', Buffer.from('{').toString('base64url')],
    ['JSON of another shape', Buffer.from('[1]').toString('base64url')],
    ['very long', 'A'.repeat(100_000)],
    [
      'a key that is no id',
      Buffer.from('{"list":"jobs","towards":"older","key":"1; drop table jobs"}').toString('base64url'),
    ],
  ])('refuses a cursor that is %s', async (_name, cursor) => {
    await expect(queries.listJobs(tenant, {}, { limit: 1, cursor })).rejects.toBeInstanceOf(
      InvalidCursorError,
    );
  });

  it('refuses the cursor of another list', async () => {
    const { nextCursor } = await queries.listJobs(tenant, {}, { limit: 1 });
    const page = { limit: 1, cursor: nextCursor ?? '' };
    await expect(queries.listDeadLetters(tenant, {}, page)).rejects.toBeInstanceOf(InvalidCursorError);
  });

  it('never gives more than 200 rows and always at least one', async () => {
    const ids = Array.from({ length: 230 }, (_, index) => idOf(NOW, index));
    await projected.apply(ids.flatMap((id) => life('many', id, NOW, enqueued())));
    expect((await queries.listJobs('many', {}, { limit: 1e9 })).rows).toHaveLength(200);
    expect((await queries.listJobs('many', {}, { limit: -1 })).rows).toHaveLength(1);
  });

  it('gives up a job under its old tags once it is amended', async () => {
    const id = idOf(NOW, 1);
    await projected.apply(life('tags', id, NOW, enqueued({ tags: ['old', 'both'] })));
    const amended: JobEvent = { type: 'JobAmended', data: { tags: ['both', 'new'] } };
    await projected.apply([decodedJobEvent('tags', id, 1, amended, NOW)]);
    const found = async (tag: string) => (await queries.listJobs('tags', { tag }, { limit: 10 })).rows.length;
    expect([await found('old'), await found('both'), await found('new')]).toEqual([0, 1, 1]);
  });
});

describe('dead letters', () => {
  const tenant = 'dead';
  const dead = (number: number, fingerprint: string, type = 'mail.send', queue = 'default') => {
    const identity = { type, queue };
    const error = { type: 'TypeError', message: `boom ${number}`, fingerprint };
    return life(
      tenant,
      idOf(NOW - HOUR, number),
      NOW - HOUR + number,
      enqueued(identity),
      started(identity),
      failed({ ...identity, error, willRetry: false }),
      deadLettered({ ...identity, error }),
    );
  };

  beforeAll(async () => {
    await projected.apply([
      ...[1, 2, 3].flatMap((number) => dead(number, 'a')),
      ...[4, 5].flatMap((number) => dead(number, 'a', 'mail.send', 'slow')),
      ...[6, 7].flatMap((number) => dead(number, 'b', 'report')),
    ]);
  });

  it('are listed latest first, by type, queue and fingerprint', async () => {
    const list = async (filter: object) => {
      const { rows } = await queries.listDeadLetters(tenant, filter, { limit: 10 });
      return rows.map(({ jobId }) => Number.parseInt(jobId.slice(-12), 16));
    };
    expect(await list({})).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(await list({ queue: 'slow' })).toEqual([5, 4]);
    expect(await list({ type: 'report' })).toEqual([7, 6]);
    expect(await list({ fingerprint: 'a' })).toEqual([5, 4, 3, 2, 1]);
  });

  it('are paged forwards and back', async () => {
    const first = await queries.listDeadLetters(tenant, {}, { limit: 3 });
    const second = await queries.listDeadLetters(tenant, {}, { limit: 3, cursor: first.nextCursor ?? '' });
    const third = await queries.listDeadLetters(tenant, {}, { limit: 3, cursor: second.nextCursor ?? '' });
    expect([first, second, third].map(({ rows }) => rows.length)).toEqual([3, 3, 1]);
    expect(third.nextCursor).toBeNull();
    const back = await queries.listDeadLetters(tenant, {}, { limit: 3, cursor: third.prevCursor ?? '' });
    expect(back.rows).toEqual(second.rows);
  });

  it('are grouped by what went wrong, with the latest message, largest group first', async () => {
    const group = { errorType: 'TypeError', jobType: 'mail.send', fingerprint: 'a' };
    const at = (number: number) => NOW - HOUR + number;
    expect(await queries.groupDeadLetters(tenant, {}, 10)).toEqual([
      { ...group, message: 'boom 5', count: 5, firstAt: at(1), lastAt: at(5) },
      {
        ...group,
        jobType: 'report',
        fingerprint: 'b',
        message: 'boom 7',
        count: 2,
        firstAt: at(6),
        lastAt: at(7),
      },
    ]);
    expect(await queries.groupDeadLetters(tenant, { queue: 'slow' }, 10)).toEqual([
      { ...group, message: 'boom 5', count: 2, firstAt: at(4), lastAt: at(5) },
    ]);
    expect(await queries.groupDeadLetters(tenant, {}, 1)).toHaveLength(1);
  });

  it('are nobody else’s', async () => {
    expect((await queries.listDeadLetters('nobody', {}, { limit: 10 })).rows).toEqual([]);
    expect(await queries.groupDeadLetters('nobody', {}, 10)).toEqual([]);
    expect(await queries.getDeadLetter('nobody', idOf(NOW - HOUR, 1))).toBeUndefined();
    expect(await queries.listAttempts('nobody', idOf(NOW - HOUR, 1))).toEqual([]);
    expect((await queries.getDeadLetter(tenant, idOf(NOW - HOUR, 1)))?.error.message).toBe('boom 1');
  });
});

describe('queues', () => {
  const queueEvent = (
    revision: number,
    event: Extract<DecodedEvent, { aggregate: 'queue' }>['event'],
    occurredAt: number,
  ): DecodedEvent => {
    const { metadata, position } = decodedJobEvent('queues', idOf(NOW, 1), revision, enqueued(), occurredAt);
    const stream = 'queue-queues.mail';
    const common = { stream, tenantId: 'queues', revision, position, recordedAt: occurredAt, metadata };
    return { ...common, aggregate: 'queue', queue: 'mail', event };
  };
  const paused = async () => (await queries.getQueue('queues', 'mail'))?.paused;

  it('say since when, until when, why and by whom they are paused, and their limit', async () => {
    await projected.apply([
      queueEvent(0, { type: 'QueueLimitChanged', data: { concurrencyLimit: 5 } }, NOW - 9),
      queueEvent(1, { type: 'QueuePaused', data: { reason: 'deploy' } }, NOW - 8),
      queueEvent(2, { type: 'QueuePaused', data: { reason: 'long deploy', until: NOW + 5 } }, NOW - 7),
    ]);
    expect(await queries.getQueue('queues', 'mail')).toMatchObject({
      concurrencyLimit: 5,
      paused: { since: NOW - 8, until: NOW + 5, reason: 'long deploy', by: 'test' },
      counts: { queued: 0, running: 0 },
      oldestReadyAgeMs: null,
    });
  });

  it('are no longer paused when the end of the pause has come or somebody resumed them', async () => {
    await projected.apply([queueEvent(3, { type: 'QueuePaused', data: { until: NOW } }, NOW - 6)]);
    expect(await paused()).toBeNull();
    await projected.apply([queueEvent(4, { type: 'QueuePaused', data: {} }, NOW + 1)]);
    expect(await paused()).toMatchObject({ since: NOW + 1, until: null });
    await projected.apply([queueEvent(5, { type: 'QueueResumed', data: {} }, NOW + 2)]);
    expect(await paused()).toBeNull();
  });

  it('count their jobs by status', async () => {
    await projected.apply([
      ...life('counts', idOf(NOW, 1), NOW, enqueued()),
      ...life('counts', idOf(NOW, 2), NOW, enqueued(), started()),
      ...life('counts', idOf(NOW, 3), NOW, enqueued({ queue: 'mail', runAt: NOW + 1 })),
    ]);
    await projected.apply([decodedJobEvent('counts', idOf(NOW, 1), 1, started(), NOW)]);
    await projected.apply([decodedJobEvent('counts', idOf(NOW, 1), 2, completed(), NOW)]);
    const rows = await queries.listQueues('counts');
    expect(rows.map(({ queue }) => queue)).toEqual(['default', 'mail']);
    expect(rows[0]?.counts).toMatchObject({ queued: 0, running: 1, completed: 1 });
    expect(rows[1]?.counts).toMatchObject({ scheduled: 1, queued: 0 });
    expect(await queries.getQueue('counts', 'nothing')).toBeUndefined();
    expect(await queries.listQueues('nobody')).toEqual([]);
  });

  it('tell how long their oldest ready job has waited', async () => {
    await projected.apply(life('ages', idOf(NOW, 1), NOW, enqueued()));
    const insert = `
      insert into ready_jobs (tenant_id, queue, type, priority, seq, job_id, revision, ready_since)
      values ('ages', 'default', 'mail.send', 5, 1, 'a', 0, $1), ('ages', 'default', 'mail.send', 1, 2, 'b', 0, $2)`;
    await database.pool.query(insert, [NOW - 500, NOW - 20]);
    expect((await queries.getQueue('ages', 'default'))?.oldestReadyAgeMs).toBe(500);
  });
});

describe('the time series', () => {
  const tenant = 'series';
  const start = Math.floor((NOW - 100 * HOUR) / HOUR) * HOUR;

  it('counts what happened in each minute and hour, of one queue or of all, and has no gaps', async () => {
    const at = (minute: number) => start + minute * MINUTE + 1;
    await projected.apply([
      ...life(tenant, idOf(start, 1), at(0), enqueued(), started(), completed()),
      ...life(tenant, idOf(start, 2), at(2), enqueued({ queue: 'mail' })),
      ...life(tenant, idOf(start, 3), at(2), enqueued(), started(), failed(), retried()),
      ...life(tenant, idOf(start, 4), at(61), enqueued()),
    ]);
    const zero = { enqueued: 0, started: 0, completed: 0, failed: 0, deadLettered: 0, cancelled: 0 };
    const minutes = await queries.timeseries(tenant, {
      from: start,
      to: start + 3 * MINUTE,
      bucketMs: 60_000,
    });
    expect(minutes).toEqual([
      { ...zero, at: start, enqueued: 1, started: 1, completed: 1 },
      { ...zero, at: start + MINUTE },
      { ...zero, at: start + 2 * MINUTE, enqueued: 2, started: 1, failed: 1 },
    ]);
    const range = { from: start, to: start + 2 * HOUR, bucketMs: 3_600_000 } as const;
    expect((await queries.timeseries(tenant, range)).map(({ enqueued }) => enqueued)).toEqual([3, 1]);
    const mail = await queries.timeseries(tenant, { ...range, queue: 'mail' });
    expect(mail.map(({ enqueued }) => enqueued)).toEqual([1, 0]);
    expect((await queries.timeseries('nobody', range)).map(({ enqueued }) => enqueued)).toEqual([0, 0]);
  });

  it('forgets minutes after two days and keeps hours, whatever comes late', async () => {
    await projected.apply(life(tenant, idOf(NOW, 5), start + 90 * HOUR, enqueued()));
    await projected.apply(life(tenant, idOf(start, 6), start, enqueued()));
    const first = { from: start, to: start + HOUR } as const;
    const minutes = await queries.timeseries(tenant, { ...first, bucketMs: 60_000 });
    expect(minutes.filter(({ enqueued }) => enqueued > 0)).toEqual([]);
    const [hour] = await queries.timeseries(tenant, { ...first, bucketMs: 3_600_000 });
    expect(hour?.enqueued).toBe(4);
  });

  it('answers nothing for a range that ends before it starts, and at most a week of minutes', async () => {
    expect(await queries.timeseries(tenant, { from: 5, to: 4, bucketMs: 60_000 })).toEqual([]);
    const long = await queries.timeseries(tenant, { from: 0, to: NOW, bucketMs: 60_000 });
    expect(long).toHaveLength(10_080);
  });
});
