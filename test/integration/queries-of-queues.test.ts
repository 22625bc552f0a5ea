import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { Queries } from '../../src/projections/queries.ts';
import type { TestDatabase } from '../support/database.ts';
import { completed, enqueued, failed, retried, started } from '../support/job-events.ts';
import { decodedJobEvent } from '../support/job-histories.ts';
import type { Projected } from '../support/projected.ts';
import { HOUR, idOf, life, MINUTE, NOW, queried } from '../support/queried.ts';

let database: TestDatabase;
let projected: Projected;
let queries: Queries;

beforeAll(async () => {
  ({ database, projected, queries } = await queried());
});
afterAll(() => database[Symbol.asyncDispose]());

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
