import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { createQuotaAccounts } from '../../src/adapters/postgres/quota-accounts.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { createCancelJob } from '../../src/commands/cancel-job.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import type { EventLog } from '../../src/commands/ports.ts';
import { QuotaGate } from '../../src/commands/quota-gate.ts';
import { createQuotaHandler } from '../../src/commands/quota-handler.ts';
import { settleQuotas } from '../../src/commands/settle-quotas.ts';
import { systemMetadata } from '../../src/commands/system-metadata.ts';
import { DEFAULT_TERMS, UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { Freshness } from '../../src/projections/freshness.ts';
import { quotaUsageProjection as projection, QUOTA_USAGE } from '../../src/projections/quota-usage.ts';
import { rebuild } from '../../src/projections/rebuild.ts';
import { runProjections } from '../../src/projections/runner.ts';
import { verify } from '../../src/projections/verify.ts';
import { caller, jobRequest } from '../support/caller.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { running } from '../support/running.ts';
import { environmentOf } from '../support/tally.ts';
import { waitUntil } from '../support/wait-until.ts';

const clock = systemClock;
const ids = systemIds(clock);
const { signal } = new AbortController();
const same = { missing: 0, unexpected: 0, different: 0 };

let database: TestDatabase;
let log: EventLog;

beforeEach(async () => {
  database = await createDatabase();
  log = createMemoryEventLog();
});
afterEach(() => database[Symbol.asyncDispose]());

const environment = (holder: string) => ({
  ...environmentOf(database.pool, log, holder),
  decode: decodeEvent,
});

function service() {
  const server = environment('server');
  const freshness = new Freshness({ environment: server, projections: [projection] });
  const settle = settleQuotas({
    accounts: createQuotaAccounts(database.pool),
    handler: createQuotaHandler(log),
    clock,
    ids,
  });
  const task = running((stop) =>
    runProjections(
      {
        environment: server,
        projections: [projection],
        advanced: (name, position) => freshness.advanced(name, position),
      },
      stop,
    ),
  );
  const shown = async () => {
    if (!(await freshness.waitFor(QUOTA_USAGE, await log.head(), 60_000))) throw new Error('not shown');
  };
  return { shown, settling: () => running(settle), [Symbol.asyncDispose]: task[Symbol.asyncDispose] };
}

async function limit(tenantId: string, unfinishedJobs: number): Promise<void> {
  const at = clock.now();
  const terms = { ...DEFAULT_TERMS, limits: { ...UNLIMITED, unfinishedJobs } };
  await createQuotaHandler(log).handle({
    command: { type: 'SetTerms', terms, at },
    metadata: systemMetadata('test', tenantId, ids.next(), at),
  });
}

function client() {
  const gate = new QuotaGate({ log, clock, ids, buckets: createMemoryRateBuckets(clock) });
  const enqueueJobs = createEnqueueJobs({ log, clock, ids, gate });
  const cancelJob = createCancelJob({ log, clock, ids });
  return async (tenantId: string, jobs: number, cancel: number) => {
    const results = await enqueueJobs(caller(tenantId), Array(jobs).fill(jobRequest()));
    for (const result of results.slice(0, cancel))
      if (result.kind === 'created') await cancelJob(caller(tenantId), result.snapshot.jobId, {});
  };
}

describe('quota-usage', () => {
  it('is verified while jobs come and go and quotas are settled', async () => {
    await limit('acme', 1_000);
    await using server = service();
    await server.shown();
    await using _settler = server.settling();
    const use = client();
    const stop = new AbortController();
    const traffic = (async () => {
      while (!stop.signal.aborted) await use('acme', 20, 10);
    })();
    for (let round = 0; round < 3; round += 1) {
      const { tables } = await verify({ environment: environment('operator'), projection, signal });
      expect(tables).toMatchObject([same, same, same]);
    }
    stop.abort();
    await traffic;
  });

  it('is rebuilt beside itself, and settling goes on with the new rows', async () => {
    await limit('acme', 1_000);
    await using server = service();
    const use = client();
    await use('acme', 20, 10);
    await server.shown();
    await database.pool.query('update quota_usage set released = 5, adopted = 7');
    const report = await rebuild({ environment: environment('operator'), projection, signal });
    expect(report.outcome).toBe('swapped');
    expect(report.comparison?.tables).toMatchObject([{ ...same, different: 1 }, same, same]);
    await using _settler = server.settling();
    await waitUntil('the slots are free', async () => {
      const { state } = await createQuotaHandler(log).load('acme');
      return state?.unfinished === 10;
    });
  });

  it('is rebuilt for one tenant, which is not mixed up with those whose ids begin alike', async () => {
    for (const tenantId of ['acme', 'acme2']) await limit(tenantId, 100);
    await using server = service();
    const use = client();
    await use('acme', 3, 1);
    await use('acme2', 5, 2);
    await server.shown();
    await database.pool.query('update quota_usage set unfinished = 77');
    const report = await rebuild({
      environment: environment('operator'),
      projection,
      signal,
      tenant: 'acme',
    });
    expect(report.outcome).toBe('replaced');
    expect(report.comparison?.tables).toMatchObject([{ ...same, different: 1 }, same, same]);
    const { rows } = await database.pool.query('select tenant_id, unfinished from quota_usage order by 1');
    expect(rows).toEqual([
      { tenant_id: 'acme', unfinished: '3' },
      { tenant_id: 'acme2', unfinished: '77' },
    ]);
  });
});
