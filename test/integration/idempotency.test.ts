import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createIdempotencyStore } from '../../src/adapters/postgres/idempotency.ts';
import { sweepIdempotencyKeys } from '../../src/adapters/postgres/idempotency-sweeper.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import type { IdempotencyDecision, IdempotencyStore, KeptResponse } from '../../src/commands/idempotency.ts';
import type { UseCases } from '../../src/commands/use-cases.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { caller, jobRequest } from '../support/caller.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { waitUntil } from '../support/wait-until.ts';

const ids = systemIds();
let database: TestDatabase;
let pool: pg.Pool;
let log: PostgresEventLog;
let store: IdempotencyStore;
let enqueueJobs: UseCases['enqueueJobs'];

beforeAll(async () => {
  database = await createDatabase();
  pool = createPool({ connectionString: database.url });
  log = createPostgresEventLog({ pool });
  store = createIdempotencyStore({ pool, ids });
  enqueueJobs = createEnqueueJobs({ log, clock: systemClock, ids });
});

afterAll(async () => {
  await log.close();
  await pool.end();
  await database[Symbol.asyncDispose]();
});

const answer: KeptResponse = { status: 201, headers: { etag: '"0"' }, body: '{"id":"é"}' };

function executing(decision: IdempotencyDecision): Extract<IdempotencyDecision, { kind: 'execute' }> {
  if (decision.kind !== 'execute') throw new Error(`expected to execute, got ${decision.kind}`);
  return decision;
}

async function jobsOf(tenantId: string): Promise<number> {
  const { rows } = await pool.query(`select from eventzr.events where stream ^@ $1`, [
    jobStream(tenantId, ''),
  ]);
  return rows.length;
}

/** What a server does with a request that has a key. */
async function serve(tenantId: string, key: string, fingerprint: string, through = store): Promise<string> {
  const decision = await through.begin(tenantId, key, fingerprint);
  if (decision.kind !== 'execute') return decision.kind === 'replay' ? decision.body : decision.kind;
  const [result] = await enqueueJobs(caller(tenantId), [jobRequest()], { commandId: decision.seed });
  const body = result?.kind === 'created' ? result.snapshot.jobId : (result?.kind ?? '');
  await through.finish(decision, { status: 201, headers: {}, body });
  return body;
}

test('the first answer is given again, to the same request only', async () => {
  const execution = executing(await store.begin('acme', 'k1', 'f1'));
  expect(await store.begin('acme', 'k1', 'f1')).toEqual({ kind: 'in_progress' });
  expect(await store.begin('acme', 'k1', 'other')).toEqual({ kind: 'mismatch' });
  await store.finish(execution, answer);
  expect(await store.begin('acme', 'k1', 'f1')).toEqual({ kind: 'replay', ...answer });
  expect(await store.begin('acme', 'k1', 'other')).toEqual({ kind: 'mismatch' });
});

test('tenants do not share keys', async () => {
  const one = executing(await store.begin('one', 'shared', 'f'));
  const two = executing(await store.begin('two', 'shared', 'f'));
  expect(one.seed).not.toBe(two.seed);
});

test('the same key fifty times at once makes one job', async () => {
  const other = createIdempotencyStore({ pool, ids });
  const answers = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const through = index % 2 === 0 ? store : other;
      return waitUntil('there is an answer', async () => {
        const body = await serve('fifty', 'key', 'f', through);
        return body === 'in_progress' ? undefined : body;
      });
    }),
  );
  expect(new Set(answers).size).toBe(1);
  expect(await jobsOf('fifty')).toBe(1);
});

test('many keys at once each get their own execution', async () => {
  const decisions = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) => store.begin('many', `k${index}`, 'f')),
  );
  const seeds = decisions.map((decision) => executing(decision).seed);
  expect(new Set(seeds).size).toBe(1_000);
});

test('two processes with the same keys in another order do not deadlock', async () => {
  const other = createIdempotencyStore({ pool, ids });
  const keys = Array.from({ length: 200 }, (_, index) => `k${index}`);
  const [mine, theirs] = await Promise.all([
    Promise.all(keys.map((key) => store.begin('order', key, 'f'))),
    Promise.all(keys.toReversed().map((key) => other.begin('order', key, 'f'))),
  ]);
  const executions = [...mine, ...theirs].filter(({ kind }) => kind === 'execute');
  expect(executions).toHaveLength(200);
});

test('executing again after a crash between the append and the answer creates nothing new', async () => {
  const impatient = createIdempotencyStore({ pool, ids, takeOverMs: 0 });
  const died = executing(await impatient.begin('crash', 'k', 'f'));
  const first = await enqueueJobs(caller('crash'), [jobRequest(), jobRequest()], { commandId: died.seed });
  const again = executing(await impatient.begin('crash', 'k', 'f'));
  expect(again.seed).toBe(died.seed);
  expect(again.owner).not.toBe(died.owner);
  const second = await enqueueJobs(caller('crash'), [jobRequest(), jobRequest()], { commandId: again.seed });
  expect(second.map(({ kind }) => kind)).toEqual(['created', 'created']);
  expect(second.map((r) => r.kind === 'created' && [r.snapshot.jobId, r.position])).toEqual(
    first.map((r) => r.kind === 'created' && [r.snapshot.jobId, r.position]),
  );
  expect(await jobsOf('crash')).toBe(2);
  // The first one was not dead after all: its answer is as good.
  await impatient.finish(died, answer);
  await impatient.finish(again, { ...answer, body: 'late' });
  expect(await impatient.begin('crash', 'k', 'f')).toMatchObject({ kind: 'replay', body: answer.body });
});

test('a repeatable execution that died keeps its caller waiting for a moment only', async () => {
  const patient = createIdempotencyStore({ pool, ids, takeOverRepeatableMs: 3_000 });
  const repeatable = { repeatable: true };
  const died = executing(await patient.begin('moment', 'k', 'f', repeatable));
  expect(await patient.begin('moment', 'k', 'f', repeatable)).toEqual({ kind: 'in_progress' });
  const again = await waitUntil('it is taken over', async () => {
    const decision = await patient.begin('moment', 'k', 'f', repeatable);
    return decision.kind === 'execute' && decision;
  });
  expect(again.seed).toBe(died.seed);
});

test('an execution of another request is not taken over', async () => {
  const impatient = createIdempotencyStore({ pool, ids, takeOverMs: 0 });
  await impatient.begin('other', 'k', 'f');
  expect(await impatient.begin('other', 'k', 'g')).toEqual({ kind: 'mismatch' });
});

test('an abandoned execution can be tried again at once, with the same seed', async () => {
  const failed = executing(await store.begin('abandon', 'k', 'f'));
  await store.abandon(failed);
  const again = executing(await store.begin('abandon', 'k', 'f'));
  expect(again.seed).toBe(failed.seed);
  await store.abandon(failed);
  expect(await store.begin('abandon', 'k', 'f')).toEqual({ kind: 'in_progress' });
});

test('an expired key starts over, with a new seed, and is swept away', async () => {
  const forgetful = createIdempotencyStore({ pool, ids, keepMs: 0 });
  const first = executing(await forgetful.begin('expired', 'k', 'f'));
  await forgetful.finish(first, answer);
  const second = executing(await forgetful.begin('expired', 'k', 'another request'));
  expect(second.seed).not.toBe(first.seed);
  expect(await sweepIdempotencyKeys(pool, 10)).toBe(1);
  expect(await sweepIdempotencyKeys(pool, 10)).toBe(0);
  expect((await store.begin('acme', 'k1', 'f1')).kind).toBe('replay');
});
