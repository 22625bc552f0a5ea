import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQuotaAccounts } from '../../src/adapters/postgres/quota-accounts.ts';
import type { QuotaAccounts } from '../../src/commands/quota-accounts.ts';
import { quotaUsageProjection } from '../../src/projections/quota-usage.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { cancelled, completed, enqueued, replayed } from '../support/job-events.ts';
import { NaiveQuotas } from '../support/naive-quotas.ts';
import { Projected } from '../support/projected.ts';
import { WrittenLog } from '../support/written-log.ts';

const AT = Date.UTC(2026, 4, 4, 14);
const idOf = (number: number) => `00000000-0000-7000-8000-${`${number}`.padStart(12, '0')}`;

let database: TestDatabase;
let projected: Projected;
beforeAll(async () => {
  database = await createDatabase();
  projected = await Projected.prepare(database.pool, [quotaUsageProjection]);
});
afterAll(() => database[Symbol.asyncDispose]());

async function inPostgres({ events }: WrittenLog): Promise<QuotaAccounts> {
  await database.pool.query('truncate quota_usage_v1_1, quota_pending_v1_1, quota_history_v1_1');
  await projected.apply(events);
  return createQuotaAccounts(database.pool);
}

async function asSpecified({ events }: WrittenLog): Promise<QuotaAccounts> {
  const naive = new NaiveQuotas();
  for (const event of events) naive.apply(event);
  return naive;
}

const reserved = (reservationId: string, ...jobIds: readonly string[]) =>
  ({ type: 'QuotaReserved', data: { reservationId, jobIds, ahead: 0 } }) as const;
const settled = { settledThrough: '1' };

describe.each([
  ['in memory', asSpecified],
  ['in Postgres', inPostgres],
])('quota accounts %s', (_, of) => {
  it('names what a quota has not been told, and up to where', async () => {
    const log = new WrittenLog();
    log.quota('acme', reserved('r1', idOf(1)), AT, { ...settled, unfinished: 1 });
    log.job('acme', idOf(1), enqueued({ reservationId: 'r1' }), AT);
    log.job('acme', idOf(2), enqueued(), AT);
    log.job('acme', idOf(1), completed(), AT);
    log.job('acme', idOf(3), replayed(), AT + 5);
    log.job('other', idOf(4), enqueued(), AT);
    const accounts = await of(log);
    expect(await accounts.unsettled('', 10)).toEqual([
      {
        tenantId: 'acme',
        position: '5',
        updatedAt: AT + 5,
        revision: 0,
        quota: expect.objectContaining({ unfinished: 1 }),
        released: 1,
        adopted: 1,
        revived: 1,
      },
    ]);
  });

  it('names a tenant that was never settled, though nothing is owed, and then no more', async () => {
    const log = new WrittenLog();
    log.quota('acme', { type: 'TenantResumed', data: {} }, AT);
    expect(await (await of(log)).unsettled('', 10)).toMatchObject([{ tenantId: 'acme', position: '1' }]);
    const data = { through: '1', released: 0, adopted: 0, revived: 0, duplicates: [] };
    log.quota('acme', { type: 'QuotaReleased', data }, AT, settled);
    expect(await (await of(log)).unsettled('', 10)).toEqual([]);
  });

  it('lists slots whose job has not come, by age', async () => {
    const log = new WrittenLog();
    log.quota('acme', reserved('r1', idOf(1), idOf(2)), AT, settled);
    log.quota('bolt', reserved('r2', idOf(3)), AT + 1, settled);
    log.quota('bolt', reserved('r3', idOf(4)), AT + 2, settled);
    log.job('acme', idOf(1), enqueued({ reservationId: 'r1' }), AT + 3);
    const accounts = await of(log);
    const [oldest, next, ...none] = await accounts.overdue(AT + 1, 10);
    expect(oldest).toEqual({
      tenantId: 'acme',
      jobId: idOf(2),
      reservationId: 'r1',
      position: '1',
      at: AT,
    });
    expect(next).toMatchObject({ tenantId: 'bolt', jobId: idOf(3) });
    expect(none).toEqual([]);
  });

  it('gives slots that still wait together with the account of that moment', async () => {
    const log = new WrittenLog();
    log.quota('acme', reserved('r1', idOf(1), idOf(2)), AT, settled);
    log.quota('acme', reserved('r2', idOf(1), idOf(2)), AT, settled);
    log.quota('bolt', reserved('r3', idOf(3)), AT, settled);
    log.job('acme', idOf(2), enqueued({ reservationId: 'r1' }), AT);
    const accounts = await of(log);
    const slot = (tenantId: string, jobId: string, reservationId: string) => ({
      tenantId,
      jobId,
      reservationId,
    });
    const found = await accounts.waiting([
      slot('acme', idOf(1), 'r2'),
      slot('acme', idOf(2), 'r2'),
      slot('bolt', idOf(1), 'r3'),
    ]);
    expect(found).toMatchObject([
      { account: { tenantId: 'acme', position: '4', released: 1 }, waiting: [slot('acme', idOf(1), 'r2')] },
    ]);
    expect(found[0]?.waiting).toHaveLength(1);
  });

  it('frees a slot once, however it comes free', async () => {
    const log = new WrittenLog();
    log.quota('acme', reserved('r1', idOf(1)), AT, settled);
    log.job('acme', idOf(1), { type: 'JobVoided', data: { reason: 'late' } }, AT);
    log.quota('acme', reserved('r2', idOf(1)), AT, settled);
    const duplicates = [{ jobId: idOf(1), reservationId: 'r2' }];
    const data = { through: '3', released: 2, adopted: 0, revived: 0, duplicates };
    log.quota('acme', { type: 'QuotaReleased', data }, AT, settled);
    log.job('acme', idOf(2), cancelled(), AT);
    const accounts = await of(log);
    expect(await accounts.overdue(AT, 10)).toEqual([]);
    expect(await accounts.unsettled('', 10)).toMatchObject([{ released: 1, adopted: 0, revived: 0 }]);
  });

  it('knows whose day is over', async () => {
    const log = new WrittenLog();
    log.quota('acme', { type: 'TenantResumed', data: {} }, AT, { day: 10, usedToday: 1 });
    log.quota('bolt', { type: 'TenantResumed', data: {} }, AT, { day: 10, usedAhead: 1 });
    log.quota('coil', { type: 'TenantResumed', data: {} }, AT, { day: 10 });
    log.quota('dyne', { type: 'TenantResumed', data: {} }, AT, { day: 11, usedToday: 1 });
    const accounts = await of(log);
    expect(await accounts.withOlderDay(11, 10)).toEqual(['acme', 'bolt']);
  });
});

it('slots of staged jobs are not overdue: the relay is certain to create them', async () => {
  const log = new WrittenLog();
  log.quota('acme', reserved('r1', idOf(1), idOf(2)), AT, settled);
  const accounts = await inPostgres(log);
  await database.pool.query(
    `insert into staged_jobs (tenant_id, job_id, command_id, context, request, payload)
     values ('acme', $1, $1, '{}', '{}', '{}')`,
    [idOf(1)],
  );
  expect(await accounts.overdue(AT, 10)).toMatchObject([{ jobId: idOf(2) }]);
  await database.pool.query('delete from staged_jobs');
  expect(await accounts.overdue(AT, 10)).toHaveLength(2);
});
