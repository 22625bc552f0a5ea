import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { JobsWorker } from '../../src/sdk/index.ts';
import { allDone, verifyAll } from '../support/audit.ts';
import { createDatabase } from '../support/database.ts';
import { apiKey, clientOf, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const WORKER = new URL('../support/worker-process.ts', import.meta.url).pathname;
const RETRY = { kind: 'fixed', delayMs: 10 } as const;
/** Heartbeats come three times in it, and may be late on a busy machine. */
const LEASE_MS = 6_000;

it('jobs of a killed worker go to another one when their leases run out', async () => {
  await using database = await createDatabase();
  const key = await apiKey(database.pool);
  await using server = await startServer({ DATABASE_URL: database.url });
  const client = clientOf(server.url, key);
  const jobs = await Promise.all(
    Array.from({ length: 5 }, () => client.enqueue('stuck', {}, { retry: RETRY })),
  );
  const doomed = spawn(process.execPath, [WORKER, server.url, key, `${LEASE_MS}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  doomed.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await waitUntil('it works on all', () => said.match(/started/g)?.length === jobs.length);
  // Alive, it keeps its leases by heartbeat for longer than they are.
  const [first] = jobs;
  const runningSince = Date.now();
  await waitUntil('a lease was renewed', async () => {
    const { lease, revision } = await client.get(first?.id ?? '');
    expect({ workerId: lease?.workerId, revision }).toEqual({ workerId: 'doomed', revision: 1 });
    return Date.now() - runningSince > LEASE_MS + 1_000;
  });
  doomed.kill('SIGKILL');
  await once(doomed, 'close');

  await using worker = new JobsWorker<{ stuck: { payload: unknown; result: string } }>({
    connection: { url: server.url, apiKey: key },
    workerId: 'healthy',
    handlers: { stuck: () => 'done' },
  }).start();
  await allDone(database.pool);
  await worker.stop();
  for (const { id } of jobs) {
    const events: string[] = [];
    for await (const { event } of client.history(id)) events.push(event);
    expect(events).toEqual([
      'JobEnqueued',
      'JobStarted',
      'LeaseExpired',
      'JobRetried',
      'JobStarted',
      'JobCompleted',
    ]);
    const attempts = await client.attempts(id);
    expect(attempts.map(({ workerId, outcome }) => [workerId, outcome])).toEqual([
      ['doomed', 'lease_expired'],
      ['healthy', 'completed'],
    ]);
  }
  expect(await verifyAll(database.url)).toEqual({});
}, 180_000);

it('refuses every outcome from a worker whose lease has passed to another', async () => {
  await using database = await createDatabase();
  const key = await apiKey(database.pool);
  await using server = await startServer({ DATABASE_URL: database.url });
  const client = clientOf(server.url, key);
  const { id } = await client.enqueue('stuck', {}, { retry: RETRY });
  const post = async (path: string, body: object) => {
    const answer = await fetch(`${server.url}/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: answer.status === 204 ? {} : await answer.json() };
  };
  const claim = (workerId: string, leaseMs: number) =>
    waitUntil(`${workerId} has it`, async () => {
      const { body } = await post('/claims', { workerId, leaseMs, waitMs: 20_000 });
      return (body as { claims?: { leaseToken: string }[] }).claims?.[0]?.leaseToken;
    });
  const stale = await claim('slow', 1_000);
  const fresh = await claim('quick', 600_000);
  expect(fresh).not.toBe(stale);
  const error = { type: 'Error', message: 'too late' };
  for (const [path, body] of [
    ['complete', { leaseToken: stale, result: 1 }],
    ['fail', { leaseToken: stale, error }],
    ['release', { leaseToken: stale }],
  ] as const) {
    expect(await post(`/jobs/${id}/${path}`, body)).toMatchObject({
      status: 409,
      body: { code: 'lease-lost' },
    });
  }
  const leases = [{ leaseToken: stale }];
  expect((await post('/claims/heartbeat', { workerId: 'slow', leases })).body).toMatchObject({
    leases: [{ status: 'lost' }],
  });
  expect(await client.get(id)).toMatchObject({ status: 'running', lease: { workerId: 'quick' } });
  expect(await post(`/jobs/${id}/complete`, { leaseToken: fresh, result: 2 })).toMatchObject({ status: 200 });
  // The same again is the same answer; another worker's word is not.
  expect(await post(`/jobs/${id}/complete`, { leaseToken: fresh, result: 2 })).toMatchObject({ status: 200 });
  expect(await post(`/jobs/${id}/complete`, { leaseToken: stale, result: 1 })).toMatchObject({ status: 409 });
  expect(await client.get(id)).toMatchObject({ status: 'completed', result: 2 });
}, 180_000);
