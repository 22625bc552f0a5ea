import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from '../../src/adapters/http/contract/jobs.ts';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

describe('the service over HTTP', () => {
  it('runs a job from enqueue to the dead letters and back, visible in every list', async () => {
    const { call } = await api.caller();
    const seen = async (path: string, position: string | null) => {
      const answer = await call('GET', path, undefined, { 'await-position': position ?? '' });
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      expect(BigInt(answer.headers.get('projection-position') ?? -1)).toBeGreaterThanOrEqual(
        BigInt(position ?? 0),
      );
      return answer.body;
    };
    const enqueued = await call('POST', '/v1/jobs', { type: 'mail', queue: 'q', tags: ['x'] });
    const id = enqueued.body.id;
    expect((await seen('/v1/jobs?tag=x', enqueued.headers.get('event-position'))).data).toMatchObject([
      { id },
    ]);
    const claimed = await call('POST', '/v1/claims', { workerId: 'w', queues: ['q'], waitMs: 30_000 });
    expect(claimed.body.claims).toMatchObject([
      { attempt: 1, job: { id, status: 'running', lease: { workerId: 'w' } } },
    ]);
    const { leaseToken } = claimed.body.claims[0];
    const beat = await call('POST', '/v1/claims/heartbeat', { workerId: 'w', leases: [{ leaseToken }] });
    expect(beat.body).toMatchObject({ directive: 'run', leases: [{ jobId: id, status: 'extended' }] });
    const error = { type: 'SmtpError', message: 'mailbox full' };
    const failed = await call('POST', `/v1/jobs/${id}/fail`, { leaseToken, error, retry: 'never' });
    expect(failed.body).toMatchObject({ status: 'dead_lettered' });
    const position = failed.headers.get('event-position');
    expect((await seen('/v1/dead-letters', position)).data).toMatchObject([{ jobId: id, error }]);
    expect((await seen('/v1/dead-letters/groups', position)).data).toMatchObject([
      { count: 1, errorType: 'SmtpError' },
    ]);
    expect((await seen(`/v1/jobs/${id}/attempts`, position)).data).toMatchObject([
      { attempt: 1, workerId: 'w' },
    ]);
    expect((await seen('/v1/queues', position)).data).toMatchObject([
      { name: 'q', counts: { dead_lettered: 1 } },
    ]);
    expect((await seen('/v1/queues/q', position)).counts).toMatchObject({ dead_lettered: 1 });
    expect((await seen('/v1/stats', position)).counts).toMatchObject({ dead_lettered: 1 });
    expect((await seen('/v1/stats/timeseries', position)).data.at(-1)).toBeDefined();
    const replayed = await call('POST', `/v1/dead-letters/${id}/replay`, { payload: 2 });
    expect(replayed.body).toMatchObject({ status: 'queued', payload: 2 });
    const events = await call('GET', `/v1/events?jobId=${id}`);
    expect(
      events.body.data.map(({ event }: { event: { type: string } }) =>
        event.type.split('.').slice(2, -1).join('.'),
      ),
    ).toEqual(['enqueued', 'started', 'failed', 'deadlettered', 'dlq.replayed']);
  });

  it('pages through a list forwards and back, and knows its own cursors', async () => {
    const { call } = await api.caller();
    const bulk = await call('POST', '/v1/jobs/bulk', {
      jobs: Array.from({ length: 7 }, () => ({ type: 't' })),
    });
    const wait = { 'await-position': bulk.headers.get('event-position') ?? '' };
    const ids: string[] = [];
    let cursor = '';
    let page = await call('GET', '/v1/jobs?limit=3', undefined, wait);
    for (let pages = 1; pages <= 5; pages += 1) {
      ids.push(...page.body.data.map((job: Job) => job.id));
      if (page.body.nextCursor === null) break;
      cursor = page.body.nextCursor;
      page = await call('GET', `/v1/jobs?limit=3&cursor=${cursor}`);
    }
    const created = bulk.body.results.map(({ job }: { job: Job }) => job.id);
    expect(ids).toEqual(created.toReversed());
    const back = await call('GET', `/v1/jobs?limit=3&cursor=${page.body.prevCursor}`);
    expect(back.body.data.map((job: Job) => job.id)).toEqual(ids.slice(3, 6));
    for (const unknown of ['nonsense', cursor.slice(1), 'e30']) {
      const refused = await call('GET', `/v1/jobs?cursor=${unknown}`);
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid-cursor']);
    }
    const elsewhere = await call('GET', `/v1/dead-letters?cursor=${cursor}`);
    expect(elsewhere.body.code).toBe('invalid-cursor');
  });

  it('pauses and limits queues', async () => {
    const { call } = await api.caller();
    const until = '2099-01-01T00:00:00.000Z';
    const paused = await call('PUT', '/v1/queues/q/pause', { reason: 'maintenance', until });
    expect(paused.status).toBe(204);
    const wait = { 'await-position': paused.headers.get('event-position') ?? '' };
    const shown = await call('GET', '/v1/queues/q', undefined, wait);
    expect(shown.body.paused).toMatchObject({
      reason: 'maintenance',
      until,
      by: expect.stringContaining('test'),
    });
    expect((await call('PATCH', '/v1/queues/q', { concurrencyLimit: 3 })).status).toBe(204);
    const resumed = await call('DELETE', '/v1/queues/q/pause');
    const later = { 'await-position': resumed.headers.get('event-position') ?? '' };
    const again = await call('GET', '/v1/queues/q', undefined, later);
    expect(again.body).toMatchObject({ paused: null, concurrencyLimit: 3 });
    expect((await call('GET', '/v1/queues/unknown')).status).toBe(404);
  });

  it('tells a worker to be quiet', async () => {
    const { call } = await api.caller();
    expect((await call('PUT', '/v1/workers/w9/quiet')).status).toBe(404);
    await call('POST', '/v1/claims', { workerId: 'w9' });
    expect((await call('PUT', '/v1/workers/w9/quiet')).status).toBe(204);
    expect((await call('GET', '/v1/workers')).body.data).toMatchObject([{ id: 'w9', directive: 'quiet' }]);
    expect((await call('DELETE', '/v1/workers/w9/quiet')).status).toBe(204);
  });

  it('says how read models are and rebuilds one', async () => {
    const { call } = await api.caller({ tenants: '*' });
    const all = await call('GET', '/v1/projections');
    expect(all.body.data.map(({ name }: { name: string }) => name)).toContain('jobs');
    const started = await call('POST', '/v1/projections/jobs/rebuild', { dryRun: true });
    expect(started.status).toBe(202);
    const done = await waitUntil('it is done', async () => {
      const { body } = await call('GET', '/v1/projections/jobs');
      return ['done', 'failed'].includes(body.rebuild?.phase) ? body : undefined;
    });
    expect(done.rebuild).toMatchObject({ phase: 'done', outcome: 'dry_run', differences: 0, error: null });
    expect((await call('POST', '/v1/projections/nothing/rebuild')).status).toBe(404);
  });
});

describe('the service itself', () => {
  it('is alive, ready, measured and described, without a key', async () => {
    const get = async (path: string) => {
      const response = await fetch(api.url + path);
      return { status: response.status, text: await response.text() };
    };
    expect(await get('/livez')).toEqual({ status: 200, text: '{"status":"ok"}' });
    expect(JSON.parse((await get('/readyz')).text)).toMatchObject({
      status: 'ok',
      checks: [{ status: 'ok' }],
    });
    const { text } = await get('/metrics');
    expect(text).toMatch(
      /eventzr_http_request_duration_seconds_count\{method="GET",route="\/livez",status="200"\} \d/,
    );
    expect(text).toMatch(/eventzr_event_log_append_events_total \d/);
    expect((await get('/openapi.json')).text).toContain('"openapi":"3.1.0"');
    expect((await get('/docs/')).status).toBe(200);
    expect((await get('/problems/lease-lost')).text).toContain('409 Lease lost');
  });

  it('serves the schemas of its public events, which caches may keep', async () => {
    const path = `${api.url}/schemas/eventzr.jobs.failed.v1.json`;
    const answer = await fetch(path);
    expect(answer.headers.get('content-type')).toBe('application/schema+json; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=3600');
    const committed = new URL('../../schemas/eventzr.jobs.failed.v1.json', import.meta.url);
    expect(await answer.text()).toBe(readFileSync(committed, 'utf8'));
    const etag = answer.headers.get('etag') ?? '';
    const again = await fetch(path, { headers: { 'if-none-match': etag } });
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
    expect((await fetch(path, { headers: { 'if-none-match': '"another"' } })).status).toBe(200);
    for (const unknown of ['eventzr.jobs.failed.v2.json', '..%2Fpackage.json']) {
      expect((await fetch(`${api.url}/schemas/${unknown}`)).status).toBe(404);
    }
  });
});
