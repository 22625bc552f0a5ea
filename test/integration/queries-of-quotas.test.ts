import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQueries } from '../../src/adapters/postgres/queries/queries.ts';
import { DEFAULT_TERMS, UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { jobsProjection } from '../../src/projections/jobs.ts';
import type { Queries } from '../../src/projections/queries.ts';
import { quotaUsageProjection } from '../../src/projections/quota-usage.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { completed, enqueued, started } from '../support/job-events.ts';
import { Projected } from '../support/projected.ts';
import { WrittenLog } from '../support/written-log.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
/** 14:00 of a UTC day. */
const TWO = Date.UTC(2026, 4, 4, 14);
const today = Math.floor(TWO / DAY);
const terms = { ...DEFAULT_TERMS, plan: 'pro', limits: { ...UNLIMITED, unfinishedJobs: 10 } };

const idOf = (number: number) => `00000000-0000-7000-8000-${`${number}`.padStart(12, '0')}`;
const ids = (from: number, count: number) => Array.from({ length: count }, (_, index) => idOf(from + index));

let database: TestDatabase;
let queries: Queries;
const clock = { now: TWO };

beforeAll(async () => {
  database = await createDatabase();
  queries = createQueries({ pool: database.pool, clock: { now: () => clock.now } });
  const projected = await Projected.prepare(database.pool, [jobsProjection, quotaUsageProjection]);
  await projected.apply(past().events);
});
afterAll(() => database[Symbol.asyncDispose]());

function past(): WrittenLog {
  const log = new WrittenLog();
  log.quota('acme', { type: 'QuotaInitialized', data: { terms, reason: 'signed up' } }, TWO, {
    terms,
    day: today,
  });
  const reserve = (reservationId: string, jobIds: readonly string[], at: number, used: number) =>
    log.quota('acme', { type: 'QuotaReserved', data: { reservationId, jobIds, ahead: 0 } }, at, {
      unfinished: used,
      usedToday: used,
    });
  reserve('r1', ids(1, 4), TWO + MINUTE, 4);
  reserve('r2', ids(5, 6), TWO + MINUTE + 30_000, 10);
  for (const jobId of ids(1, 8))
    log.job('acme', jobId, enqueued({ reservationId: jobId < idOf(5) ? 'r1' : 'r2' }), TWO + MINUTE + 31_000);
  const exceeded = { limit: 'unfinishedJobs', value: 10, used: 10, refused: 7 } as const;
  log.quota('acme', { type: 'QuotaExceeded', data: exceeded }, TWO + 3 * MINUTE + 10_000);
  for (const jobId of ids(1, 3)) {
    log.job('acme', jobId, started(), TWO + 4 * MINUTE);
    log.job('acme', jobId, completed(), TWO + 4 * MINUTE);
  }
  const released = { released: 2, adopted: 0, revived: 0, duplicates: [], through: '20' };
  log.quota('acme', { type: 'QuotaReleased', data: released }, TWO + 5 * MINUTE, { unfinished: 8 });
  const suspension = { mode: 'all', reason: 'unpaid', until: TWO + DAY } as const;
  log.quota('acme', { type: 'TenantSuspended', data: suspension }, TWO + 6 * MINUTE, {
    suspension: { ...suspension, since: TWO + 6 * MINUTE },
  });
  log.job('acme', idOf(4), started(), TWO + 7 * MINUTE);
  // Nobody has set anything for this one.
  for (const jobId of ids(100, 3)) log.job('bolt', jobId, enqueued(), TWO);
  log.job('bolt', idOf(100), started(), TWO);
  log.job('bolt', idOf(100), completed(), TWO);
  log.quota('coil', { type: 'QuotaInitialized', data: { terms: DEFAULT_TERMS } }, TWO - DAY, {
    day: today - 1,
    usedToday: 40,
    usedAhead: 3,
  });
  return log;
}

describe('usage', () => {
  it('shows what a tenant uses, settled or not', async () => {
    clock.now = TWO + 10 * MINUTE;
    expect(await queries.usageOf('acme')).toMatchObject({
      tenantId: 'acme',
      revision: 5,
      quota: { terms: { plan: 'pro' }, unfinished: 8 },
      // Ten slots, three jobs of which have finished; two of them are settled.
      unfinished: 7,
      reserved: 2,
      running: 1,
      usedToday: 10,
      resetAt: (today + 1) * DAY,
      suspended: true,
      updatedAt: TWO + 6 * MINUTE,
    });
  });

  it('counts for tenants without a quota as well', async () => {
    clock.now = TWO + MINUTE;
    expect(await queries.usageOf('bolt')).toMatchObject({
      quota: null,
      revision: null,
      unfinished: 2,
      usedToday: 3,
      suspended: false,
    });
    clock.now = TWO + DAY;
    expect(await queries.usageOf('bolt')).toMatchObject({ unfinished: 2, usedToday: 0 });
    expect(await queries.usageOf('nobody')).toBeUndefined();
  });

  it('begins the day by itself: what was put off counts, what was used before does not', async () => {
    clock.now = TWO - DAY;
    expect(await queries.usageOf('coil')).toMatchObject({ usedToday: 40, usedAhead: 3 });
    clock.now = TWO;
    expect(await queries.usageOf('coil')).toMatchObject({ usedToday: 3, usedAhead: 0 });
    clock.now = TWO + DAY;
    expect(await queries.usageOf('coil')).toMatchObject({ usedToday: 0, usedAhead: 0 });
  });

  it('ends a suspension when its time has come', async () => {
    clock.now = TWO + DAY - 1;
    expect((await queries.listTenants({ suspended: true }, { limit: 10 })).rows).toMatchObject([
      { tenantId: 'acme', suspended: true },
    ]);
    clock.now = TWO + DAY;
    expect((await queries.listTenants({ suspended: true }, { limit: 10 })).rows).toEqual([]);
    expect((await queries.listTenants({ suspended: false }, { limit: 10 })).rows).toHaveLength(3);
    expect(await queries.usageOf('acme')).toMatchObject({ suspended: false });
  });
});

describe('the list of tenants', () => {
  it('goes by id, in pages, there and back', async () => {
    const first = await queries.listTenants({}, { limit: 2 });
    expect(first.rows.map(({ tenantId }) => tenantId)).toEqual(['acme', 'bolt']);
    const second = await queries.listTenants({}, { limit: 2, cursor: first.nextCursor ?? '' });
    expect(second.rows.map(({ tenantId }) => tenantId)).toEqual(['coil']);
    expect(second.nextCursor).toBeNull();
    const back = await queries.listTenants({}, { limit: 2, cursor: second.prevCursor ?? '' });
    expect(back.rows.map(({ tenantId }) => tenantId)).toEqual(['acme', 'bolt']);
  });

  it('finds the tenants on a plan', async () => {
    const { rows } = await queries.listTenants({ plan: 'pro' }, { limit: 10 });
    expect(rows.map(({ tenantId }) => tenantId)).toEqual(['acme']);
    expect((await queries.listTenants({ plan: 'other' }, { limit: 10 })).rows).toEqual([]);
  });
});

describe('the ledger', () => {
  it('has a line for each minute of use and each decision, newest first', async () => {
    const { rows } = await queries.quotaHistory('acme', { limit: 50 });
    expect(rows.map(({ kind, details }) => ({ kind, details }))).toEqual([
      { kind: 'suspended', details: { mode: 'all', reason: 'unpaid', until: TWO + DAY } },
      { kind: 'usage', details: { reserved: 0, ahead: 0, released: 2, adopted: 0, revived: 0 } },
      {
        kind: 'exceeded',
        details: { limit: 'unfinishedJobs', value: 10, used: 10, refused: 7, resetAt: null },
      },
      { kind: 'usage', details: { reserved: 10, ahead: 0, released: 0, adopted: 0, revived: 0 } },
      { kind: 'initialized', details: { terms, reason: 'signed up' } },
    ]);
    expect(rows.map(({ quota }) => quota.unfinished)).toEqual([8, 8, 10, 10, 0]);
    expect(rows.map(({ actor }) => actor)).toEqual(Array(5).fill('test'));
  });

  it('can be taken by time, and in pages', async () => {
    const within = await queries.quotaHistory('acme', {
      from: TWO + MINUTE + 30_000,
      to: TWO + 5 * MINUTE,
      limit: 50,
    });
    expect(within.rows.map(({ kind }) => kind)).toEqual(['exceeded', 'usage']);
    const kinds: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await queries.quotaHistory('acme', { limit: 2, cursor });
      kinds.push(...page.rows.map(({ kind }) => kind));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(kinds).toEqual(['suspended', 'usage', 'exceeded', 'usage', 'initialized']);
  });

  it('says what the balance was at a time', async () => {
    const balanceAt = async (at: number) => {
      const line = await queries.balanceAt('acme', at);
      return line && [line.kind, line.quota.unfinished];
    };
    expect(await balanceAt(TWO - 1)).toBeUndefined();
    expect(await balanceAt(TWO + MINUTE - 1)).toEqual(['initialized', 0]);
    expect(await balanceAt(TWO + 2 * MINUTE)).toEqual(['usage', 10]);
    expect(await balanceAt(TWO + 3 * MINUTE + 10_000)).toEqual(['exceeded', 10]);
    expect(await balanceAt(TWO + 5 * MINUTE)).toEqual(['usage', 8]);
    expect(await queries.balanceAt('bolt', TWO + DAY)).toBeUndefined();
  });

  it('asks one index for one line, however long the ledger is', async () => {
    await database.pool.query(`
      insert into quota_history
      select 'long', n * 60000, 0, n * 60000 + 1, n + 1, 'usage', 'a', null, '{}', 1, 0, 0, 0, 0
      from generate_series(0, 20000) as n`);
    const client = await database.pool.connect();
    try {
      await client.query('begin; set local enable_seqscan = off; set local enable_bitmapscan = off');
      const { rows } = await client.query(`
        explain (analyze, buffers, format json)
        select * from quota_history
        where tenant_id = 'long' and minute <= 600000000 and at <= 600000000
        order by minute desc, at desc, position desc limit 1`);
      await client.query('rollback');
      const plan = rows[0]['QUERY PLAN'][0].Plan;
      expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(20);
    } finally {
      client.release();
    }
  });
});
