import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { quotaUsageProjection } from '../../src/projections/quota-usage.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { completed, deadLettered, enqueued, identity } from '../support/job-events.ts';
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

/** What the rows must say, event by event. */
interface Account {
  pending: { jobId: string; reservationId: string }[];
  readonly created: Set<string>;
  released: number;
  adopted: number;
  revived: number;
  unfinished: number;
}

const newAccount = (): Account => ({
  pending: [],
  created: new Set(),
  released: 0,
  adopted: 0,
  revived: 0,
  unfinished: 0,
});

let runs = 0;
const jobIdOf = (number: number) => `00000000-0000-7000-8000-00000000000${number}`;

function happened(past: typeof steps extends fc.Arbitrary<infer Steps> ? Steps : never) {
  runs += 1;
  const log = new WrittenLog();
  const accounts = new Map<string, Account>();
  let at = START;
  let reservations = 0;
  for (const { kind, tenant, jobs, pick, passed } of past) {
    at += passed;
    const tenantId = `t${runs}x${tenant}`;
    const account = accounts.get(tenantId) ?? newAccount();
    accounts.set(tenantId, account);
    const jobId = jobIdOf(jobs[0] ?? 0);
    switch (kind) {
      case 'reserve': {
        reservations += 1;
        const reservationId = `r${reservations}`;
        const jobIds = [...new Set(jobs)].map(jobIdOf);
        log.quota(tenantId, { type: 'QuotaReserved', data: { reservationId, jobIds, ahead: 0 } }, at);
        account.unfinished += jobIds.length;
        account.pending.push(...jobIds.map((id) => ({ jobId: id, reservationId })));
        break;
      }
      case 'create':
      case 'void': {
        if (account.created.has(jobId)) break;
        account.created.add(jobId);
        const mine = account.pending.filter((slot) => slot.jobId === jobId);
        const reservationId = kind === 'create' ? mine[pick]?.reservationId : undefined;
        account.pending = account.pending.filter((slot) => slot.jobId !== jobId);
        account.released += mine.filter((slot) => slot.reservationId !== reservationId).length;
        if (kind === 'create' && reservationId === undefined) account.adopted += 1;
        const event =
          kind === 'create'
            ? enqueued({ reservationId })
            : ({ type: 'JobVoided', data: { reason: 'r' } } as const);
        log.job(tenantId, jobId, event, at);
        break;
      }
      case 'end':
        account.released += 1;
        log.job(tenantId, jobId, pick > 2 ? completed() : deadLettered(), at);
        break;
      case 'revive':
        account.revived += 1;
        log.job(tenantId, jobId, { type: 'DeadLetterReplayed', data: identity }, at);
        break;
      case 'settle':
      case 'duplicate': {
        const slots = kind === 'duplicate' ? account.pending.slice(pick, pick + 2) : [];
        account.pending = account.pending.filter((slot) => !slots.includes(slot));
        const { released, adopted, revived } = account;
        account.unfinished += adopted + revived - released - slots.length;
        Object.assign(account, { released: 0, adopted: 0, revived: 0 });
        const through = `${log.events.length + 1}`;
        const data = { through, released: released + slots.length, adopted, revived, duplicates: slots };
        log.quota(tenantId, { type: 'QuotaReleased', data }, at, { settledThrough: through });
        break;
      }
      case 'limits': {
        const data = { limit: 'jobsPerDay', value: 1, used: pick, refused: 1 } as const;
        log.quota(tenantId, { type: 'QuotaExceeded', data }, at, { usedToday: pick });
        break;
      }
    }
  }
  return { log, accounts };
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
          expect({
            released: Number(row.released),
            adopted: Number(row.adopted),
            revived: Number(row.revived),
            unfinished: Number(row.unfinished),
            pending: Number(row.pending),
          }).toEqual({
            released: account?.released,
            adopted: account?.adopted,
            revived: account?.revived,
            unfinished: account?.unfinished,
            pending: account?.pending.length,
          });
          const slots = inBatches.pending.filter((slot) => slot.tenant_id === row.tenant_id);
          expect(new Set(slots.map((slot) => `${slot.job_id} ${slot.reservation_id}`))).toEqual(
            new Set(account?.pending.map((slot) => `${slot.jobId} ${slot.reservationId}`)),
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});
