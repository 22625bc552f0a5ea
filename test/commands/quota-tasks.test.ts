import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { createCancelJob } from '../../src/commands/cancel-job.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { fenceOverdue } from '../../src/commands/fence-reservations.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import { type EventLog, LOG_START, type Position } from '../../src/commands/ports.ts';
import { QuotaGate } from '../../src/commands/quota-gate.ts';
import { createQuotaHandler } from '../../src/commands/quota-handler.ts';
import { resetQuotas } from '../../src/commands/reset-quotas.ts';
import { type Recent, settleDue } from '../../src/commands/settle-quotas.ts';
import { systemMetadata } from '../../src/commands/system-metadata.ts';
import { noMetrics } from '../../src/commands/telemetry.ts';
import type { TenantQuotaCommand } from '../../src/domain/tenant-quota/commands.ts';
import { DEFAULT_TERMS, type QuotaLimits, UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { quotaStream } from '../../src/domain/tenant-quota/stream.ts';
import { caller, jobRequest } from '../support/caller.ts';
import { NaiveQuotas } from '../support/naive-quotas.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

const clock = { time: 0, now: () => clock.time };
const ids = systemIds(clock);
const { signal } = new AbortController();
let log: EventLog;
let quotas: NaiveQuotas;
let counted: Position;

beforeEach(() => {
  clock.time = Date.UTC(2026, 4, 4, 12);
  log = createMemoryEventLog({ clock });
  quotas = new NaiveQuotas();
  counted = LOG_START;
});

async function count(): Promise<void> {
  const page = await log.readLog(counted, 10_000);
  counted = page.position;
  for (const stored of page.events) {
    const event = decodeEvent(stored);
    if (event) quotas.apply(event);
  }
}

const deps = () => ({
  log,
  accounts: quotas,
  handler: createQuotaHandler(log),
  jobs: createJobHandler(log),
  clock,
  ids,
});

async function command(tenantId: string, given: TenantQuotaCommand): Promise<void> {
  const metadata = systemMetadata('test', tenantId, ids.next(), given.at);
  const { kind } = await createQuotaHandler(log).handle({ command: given, metadata });
  expect(kind).toBe('accepted');
}

async function limit(tenantId: string, limits: Partial<QuotaLimits>): Promise<void> {
  const terms = { ...DEFAULT_TERMS, limits: { ...UNLIMITED, ...limits } };
  await command(tenantId, { type: 'SetTerms', terms, at: clock.time });
}

const unfinished = async (tenantId: string) =>
  (await createQuotaHandler(log).load(tenantId)).state?.unfinished;

function client() {
  const gate = new QuotaGate({ log, clock, ids, buckets: createMemoryRateBuckets(clock) });
  return createEnqueueJobs({ log, clock, ids, gate });
}

/** Enqueues so many jobs and cancels them. */
async function comeAndGo(tenantId: string, jobs: number): Promise<void> {
  const enqueueJobs = client();
  const cancelJob = createCancelJob({ log, clock, ids });
  for (const result of await enqueueJobs(caller(tenantId), Array(jobs).fill(jobRequest())))
    if (result.kind === 'created') await cancelJob(caller(tenantId), result.snapshot.jobId, {});
}

describe('settling', () => {
  it('is at once near the limit, and once a second far from it', async () => {
    await limit('near', { unfinishedJobs: 5 });
    await limit('far', { unfinishedJobs: 500 });
    const recent = new Map<string, Recent>();
    const settle = async () => {
      await count();
      await settleDue(deps(), recent, signal);
      return [await unfinished('near'), await unfinished('far')];
    };
    expect(await settle()).toEqual([0, 0]);
    for (const tenantId of ['near', 'far']) await comeAndGo(tenantId, 4);
    clock.time += 50;
    expect(await settle()).toEqual([0, 4]);
    clock.time += 950;
    expect(await settle()).toEqual([0, 0]);
  });

  it('waits for its own last word to be counted before it says the next', async () => {
    await limit('acme', { unfinishedJobs: 5 });
    await comeAndGo('acme', 4);
    await count();
    const recent = new Map<string, Recent>();
    await settleDue(deps(), recent, signal);
    const { revision } = await createQuotaHandler(log).load('acme');
    clock.time += 2_000;
    await settleDue(deps(), recent, signal);
    await settleDue(deps(), new Map(), signal);
    expect((await createQuotaHandler(log).load('acme')).revision).toBe(revision);
    expect(await unfinished('acme')).toBe(0);
  });

  it('of one tenant does not suffer from what is wrong with another', async () => {
    for (const tenantId of ['acme', 'broken']) {
      await limit(tenantId, { unfinishedJobs: 5 });
      await comeAndGo(tenantId, 4);
    }
    await count();
    const { revision } = await createQuotaHandler(log).load('broken');
    const metadata = systemMetadata('test', 'broken', ids.next(), clock.time);
    const event = { type: 'FromTheFuture', schemaVersion: 1, data: '{}', metadata };
    await log.append([{ stream: quotaStream('broken'), expectedRevision: revision, events: [event] }]);
    const recent = new Map<string, Recent>();
    const lag = async () => {
      let seconds = -1;
      const gauge = (name: string, value: number) => {
        if (name === 'quota_settle_lag_seconds') seconds = value;
      };
      await settleDue({ ...deps(), metrics: { ...noMetrics, gauge } }, recent, signal);
      return seconds;
    };
    expect(await lag()).toBe(0);
    expect(await unfinished('acme')).toBe(0);
    clock.time += 60_000;
    await count();
    expect(await lag()).toBe(60);
  });
});

describe('the fence', () => {
  const reserve = (tenantId: string, reservationId: string, jobIds: readonly string[]) =>
    command(tenantId, { type: 'Reserve', reservationId, jobIds, whole: true, at: clock.time });

  it('leaves a reservation alone for a minute, and then gives its slots back', async () => {
    await limit('acme', { unfinishedJobs: 5 });
    await reserve('acme', 'r1', [ids.next(), ids.next()]);
    const round = async () => {
      await count();
      await fenceOverdue(deps());
      await count();
      await settleDue(deps(), new Map(), signal);
      return unfinished('acme');
    };
    clock.time += 59_999;
    expect(await round()).toBe(2);
    clock.time += 1;
    expect(await round()).toBe(0);
  });

  it('leaves a job alone that was created, though that was not counted yet', async () => {
    await limit('acme', { unfinishedJobs: 5 });
    const commandId = ids.next();
    const [created] = await client()(caller(), [jobRequest()], { commandId });
    if (created?.kind !== 'created') throw new Error('not created');
    // The reservation is counted, the job is not.
    const page = await log.readLog(LOG_START, 2);
    for (const stored of page.events) quotas.apply(decodeEvent(stored) ?? unreadable());
    counted = page.position;
    clock.time += 61_000;
    await fenceOverdue(deps());
    await count();
    expect(quotas.accounts.get('acme')).toMatchObject({ pending: [], released: 0 });
    expect(await unfinished('acme')).toBe(1);
  });

  it('frees a slot that was reserved for a job which had another', async () => {
    await limit('acme', { unfinishedJobs: 5 });
    const [created] = await client()(caller(), [jobRequest()]);
    if (created?.kind !== 'created') throw new Error('not created');
    await reserve('acme', 'again', [created.snapshot.jobId]);
    expect(await unfinished('acme')).toBe(2);
    await count();
    clock.time += 61_000;
    await fenceOverdue(deps());
    expect(await unfinished('acme')).toBe(1);
    await count();
    expect(quotas.accounts.get('acme')).toMatchObject({ pending: [], released: 0, unfinished: 1 });
  });
});

it('the day of a tenant begins after midnight, though it enqueues nothing', async () => {
  await limit('acme', { jobsPerDay: 5 });
  await limit('idle', { jobsPerDay: 5 });
  await client()(caller(), [jobRequest(), jobRequest()]);
  await count();
  clock.time = Date.UTC(2026, 4, 5, 0, 0, 1);
  await using _task = running(resetQuotas(deps()));
  const last = await waitUntil('the day has begun', async () => {
    const [event] = await log.readStream(quotaStream('acme'), { direction: 'backwards', limit: 1 });
    return event?.type === 'QuotaReset' && event;
  });
  expect(JSON.parse(last.data)).toMatchObject({ by: 'day', used: 2, after: { usedToday: 0 } });
  expect(await log.readStream(quotaStream('idle'))).toHaveLength(1);
});

function unreadable(): never {
  throw new Error('an event can not be read');
}
