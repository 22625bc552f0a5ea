import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import {
  InvalidCursorError,
  type JobFilter,
  type JobRow,
  type Queries,
} from '../../src/projections/queries.ts';
import type { TestDatabase } from '../support/database.ts';
import { completed, enqueued, failed, retried, started } from '../support/job-events.ts';
import { decodedJobEvent } from '../support/job-histories.ts';
import type { Projected } from '../support/projected.ts';
import { HOUR, idOf, life, NOW, queried } from '../support/queried.ts';

let database: TestDatabase;
let projected: Projected;
let queries: Queries;

beforeAll(async () => {
  ({ database, projected, queries } = await queried());
});
afterAll(() => database[Symbol.asyncDispose]());

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
