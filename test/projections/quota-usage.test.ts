import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { quotaUsageProjection } from '../../src/projections/quota-usage.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { completed, deadLettered, enqueued, replayed, voided } from '../support/job-events.ts';
import { NaiveQuotas } from '../support/naive-quotas.ts';
import { Projected } from '../support/projected.ts';
import { WrittenLog } from '../support/written-log.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const START = 20_000 * DAY + 5 * DAY - 2 * MINUTE;

let database: TestDatabase;
let projected: Projected;

beforeAll(async () => {
  database = await createDatabase();
  projected = await Projected.prepare(database.pool, [quotaUsageProjection]);
});
afterAll(() => database[Symbol.asyncDispose]());

/** One step of the made-up past of a few tenants, jobs and reservations. */
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'reserve',
      'create',
      'create',
      'void',
      'end',
      'revive',
      'settle',
      'duplicate',
      'limits',
    ),
    tenant: fc.nat({ max: 1 }),
    jobs: fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 4 }),
    pick: fc.nat({ max: 5 }),
    passed: fc.constantFrom(0, 0, 1_000, MINUTE, 40 * DAY, -2 * MINUTE),
  }),
  { maxLength: 60, size: 'max' },
);

let runs = 0;
const jobIdOf = (number: number) => `00000000-0000-7000-8000-00000000000${number}`;

/** What the steps write, and what the rows must say of it. */
function happened(past: typeof steps extends fc.Arbitrary<infer Steps> ? Steps : never) {
  runs += 1;
  const log = new WrittenLog();
  const naive = new NaiveQuotas();
  const created = new Set<string>();
  let at = START;
  let reservations = 0;
  for (const { kind, tenant, jobs, pick, passed } of past) {
    at += passed;
    const tenantId = `t${runs}x${tenant}`;
    const { pending = [], released = 0, adopted = 0, revived = 0 } = naive.accounts.get(tenantId) ?? {};
    const jobId = jobIdOf(jobs[0] ?? 0);
    switch (kind) {
      case 'reserve': {
        reservations += 1;
        const data = { reservationId: `r${reservations}`, jobIds: [...new Set(jobs)].map(jobIdOf), ahead: 0 };
        log.quota(tenantId, { type: 'QuotaReserved', data }, at);
        break;
      }
      case 'create':
      case 'void': {
        if (created.has(`${tenantId}.${jobId}`)) continue;
        created.add(`${tenantId}.${jobId}`);
        const { reservationId } = pending.filter((slot) => slot.jobId === jobId)[pick] ?? {};
        log.job(tenantId, jobId, kind === 'create' ? enqueued({ reservationId }) : voided, at);
        break;
      }
      case 'end':
        log.job(tenantId, jobId, pick > 2 ? completed() : deadLettered(), at);
        break;
      case 'revive':
        log.job(tenantId, jobId, replayed(), at);
        break;
      case 'settle':
      case 'duplicate': {
        const slots = kind === 'duplicate' ? pending.slice(pick, pick + 2) : [];
        const duplicates = slots.map((slot) => ({ jobId: slot.jobId, reservationId: slot.reservationId }));
        const through = `${log.events.length + 1}`;
        const data = { through, released: released + slots.length, adopted, revived, duplicates };
        log.quota(tenantId, { type: 'QuotaReleased', data }, at, { settledThrough: through });
        break;
      }
      case 'limits': {
        const data = { limit: 'jobsPerDay', value: 1, used: pick, refused: 1 } as const;
        log.quota(tenantId, { type: 'QuotaExceeded', data }, at, { usedToday: pick });
        break;
      }
    }
    const last = log.events.at(-1);
    if (last) naive.apply(last);
  }
  return { log, accounts: naive.accounts };
}

async function rows(tenantIds: readonly string[]) {
  const read = async (sql: string) => (await database.pool.query(sql, [tenantIds])).rows;
  return {
    usage: await read('select * from quota_usage where tenant_id = any($1) order by tenant_id'),
    pending: await read(
      'select * from quota_pending where tenant_id = any($1) order by tenant_id, job_id, reservation_id',
    ),
    history: await read(
      'select * from quota_history where tenant_id = any($1) order by tenant_id, minute, seq',
    ),
  };
}

async function forget(tenantIds: readonly string[]): Promise<void> {
  for (const table of ['quota_usage', 'quota_pending', 'quota_history'])
    await database.pool.query(`delete from ${table} where tenant_id = any($1)`, [tenantIds]);
}

async function applyInBatches(events: readonly DecodedEvent[], sizes: readonly number[]): Promise<void> {
  for (let at = 0, turn = 0; at < events.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    await projected.apply(events.slice(at, at + size));
    at += size;
  }
}

describe('quota usage', () => {
  it('comes out the same however the events are batched, and as if they were counted one by one', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(steps, sizes, async (past, batches) => {
        const { log, accounts } = happened(past);
        const tenantIds = [...accounts.keys()];
        await applyInBatches(log.events, batches);
        const inBatches = await rows(tenantIds);
        await forget(tenantIds);
        await applyInBatches(log.events, [1_000]);
        expect(await rows(tenantIds)).toEqual(inBatches);
        for (const row of inBatches.usage) {
          const account = accounts.get(row.tenant_id);
          expect(row).toMatchObject({
            released: `${account?.released}`,
            adopted: `${account?.adopted}`,
            revived: `${account?.revived}`,
            unfinished: `${account?.unfinished}`,
            pending: `${account?.pending.length}`,
            position: account?.position,
          });
          const slots = inBatches.pending.filter((slot) => slot.tenant_id === row.tenant_id);
          expect(new Set(slots.map((slot) => `${slot.job_id} ${slot.reservation_id}`))).toEqual(
            new Set(account?.pending.map((slot) => `${slot.jobId} ${slot.reservationId}`)),
          );
        }
      }),
      { numRuns: 80 },
    );
  });

  it('keeps minutes of use for 30 days and decisions for 400, whenever the tenant last used something', async () => {
    const log = new WrittenLog();
    const use = (at: number) =>
      log.quota(
        'kept',
        { type: 'QuotaReserved', data: { reservationId: `r${at}`, jobIds: [], ahead: 0 } },
        at,
      );
    const decide = (at: number) => log.quota('kept', { type: 'TenantResumed', data: {} }, at);
    const days = async () => {
      const { history } = await rows(['kept']);
      return history.map(({ kind, at }) => [kind, (Number(at) - START) / DAY]);
    };
    use(START);
    decide(START);
    use(START + 30 * DAY);
    await projected.apply(log.events);
    expect(await days()).toEqual([
      ['usage', 0],
      ['resumed', 0],
      ['usage', 30],
    ]);
    const before = log.events.length;
    use(START + 31 * DAY);
    await projected.apply(log.events.slice(before));
    expect(await days()).toEqual([
      ['resumed', 0],
      ['usage', 30],
      ['usage', 31],
    ]);
    const then = log.events.length;
    decide(START + 401 * DAY);
    // Of a process whose clock is behind.
    use(START + 2 * DAY);
    await projected.apply(log.events.slice(then));
    expect(await days()).toEqual([['resumed', 401]]);
  });
});
