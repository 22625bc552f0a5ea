import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobHistoryEvent } from '../../src/adapters/http/contract/events.ts';
import { type FeedEvent, type JobsClient, JobsWorker } from '../../src/sdk/index.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { apiKey, clientOf, freePort, type RunningService, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let server: RunningService;
let client: JobsClient;
let key: string;

beforeAll(async () => {
  database = await createDatabase();
  key = await apiKey(database.pool);
  server = await startServer({ DATABASE_URL: database.url, PORT: String(await freePort()) });
  client = clientOf(server.url, key);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const call = (path: string, init: RequestInit = {}) =>
  fetch(`${server.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...init.headers },
  });

it('amends a waiting job only at the revision that was seen, and shows it as it was before', async () => {
  const job = await client.enqueue(
    'later',
    { v: 1 },
    { runAt: new Date(Date.now() + 3_600_000).toISOString() },
  );
  const amended = await client.amend(job.id, { priority: 1, payload: { v: 2 } }, job.revision);
  expect(amended).toMatchObject({ priority: 1, payload: { v: 2 }, revision: job.revision + 1 });
  await expect(client.amend(job.id, { priority: 9 }, job.revision)).rejects.toMatchObject({ status: 412 });
  expect(await client.get(job.id)).toMatchObject({ priority: 1 });

  expect(await client.get(job.id, { revision: 0 })).toMatchObject({
    priority: 5,
    payload: { v: 1 },
    revision: 0,
  });
  await expect(client.get(job.id, { revision: 7 })).rejects.toMatchObject({ status: 404 });
  const events: JobHistoryEvent[] = [];
  for await (const event of client.history(job.id)) events.push(event);
  const [enqueued, changed] = events;
  const at = (time: string | undefined, offsetMs = 0) => new Date(Date.parse(time ?? '') + offsetMs);
  await expect(client.get(job.id, { asOf: at(enqueued?.occurredAt, -1_000) })).rejects.toMatchObject({
    status: 404,
  });
  expect(await client.get(job.id, { asOf: at(changed?.occurredAt, 1_000) })).toMatchObject({ revision: 1 });
});

it('answers reads that wait for a write from a view that has it', async () => {
  for (let n = 0; n < 20; n += 1) {
    const answer = await call('/v1/jobs', {
      method: 'POST',
      body: JSON.stringify({ type: 'read-own-write' }),
    });
    const { id } = (await answer.json()) as { id: string };
    const position = answer.headers.get('event-position') ?? '';
    // 503 says that the view was behind for longer than the service waits.
    const list = await waitUntil('the view has it', async () => {
      const found = await call('/v1/jobs?type=read-own-write&limit=200', {
        headers: { 'await-position': position },
      });
      return found.status !== 503 && found;
    });
    const { data } = (await list.json()) as { data: { id: string }[] };
    expect(data.map((row) => row.id)).toContain(id);
    expect(data).toHaveLength(n + 1);
  }
});

it('a paused queue gives out nothing, and no more run at once than its limit', async () => {
  await client.queues.pause('narrow', { reason: 'maintenance' });
  await client.queues.limit('narrow', 2);
  // Jobs may be handed out before the read models have got to them.
  await waitUntil('whoever claims is held to both', async () => {
    const { rows } = await database.pool.query(HELD);
    return rows.length === 1;
  });
  let running = 0;
  let most = 0;
  let done = 0;
  await using worker = new JobsWorker({
    connection: { url: server.url, apiKey: key },
    queues: ['narrow'],
    concurrency: 10,
    prefetch: 0,
    handlers: {
      narrow: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running -= 1;
        done += 1;
      },
    },
  }).start();
  await Promise.all(Array.from({ length: 30 }, () => client.enqueue('narrow', {}, { queue: 'narrow' })));
  await waitUntil('the queue shows its jobs', async () => {
    const queue = await client.queues.get('narrow');
    return (
      queue.counts.queued === 30 && queue.paused?.reason === 'maintenance' && queue.concurrencyLimit === 2
    );
  });
  expect(done).toBe(0);
  await client.queues.resume('narrow');
  await waitUntil('all are done', () => done === 30);
  expect(most).toBeLessThanOrEqual(2);
  await worker.stop();
});

it('the feed goes on where it was broken off, without a gap or a repeat, over a restart of the server', async () => {
  const stop = new AbortController();
  const seen: FeedEvent[] = [];
  const ids = (
    await Promise.all(Array.from({ length: 10 }, () => client.enqueue('fed', {}, { queue: 'fed' })))
  ).map(({ id }) => id);
  const { port } = new URL(server.url);
  const following = (async () => {
    for await (const event of client.events({ after: '0', queue: 'fed', signal: stop.signal }))
      seen.push(event);
  })();
  await waitUntil('the first are seen', () => seen.length === 10);
  await server.end('SIGKILL');
  server = await startServer({ DATABASE_URL: database.url, PORT: port });
  for (let n = 0; n < 10; n += 1) ids.push((await client.enqueue('fed', {}, { queue: 'fed' })).id);
  await waitUntil('all are seen', () => seen.length >= 20);
  stop.abort();
  await following;
  expect(seen.map(({ event }) => event.data.jobId).sort()).toEqual(ids.sort());
  expect(new Set(seen.map(({ event }) => event.id)).size).toBe(20);
  const positions = seen.map(({ position }) => BigInt(position));
  expect(positions).toEqual(positions.toSorted((a, b) => Number(a - b)));
  const page = await client.eventPage({ after: seen[9]?.position ?? '', queue: 'fed' });
  expect(page.data.map(({ event }) => event.id)).toEqual(seen.slice(10).map(({ event }) => event.id));
});

const HELD = `
select queue
from eventzr.queue_settings
where queue = 'narrow' and paused and concurrency_limit = 2`;
