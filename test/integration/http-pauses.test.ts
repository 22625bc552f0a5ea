import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
let platform: Caller;
beforeAll(async () => {
  api = await startLiveApi();
  platform = await api.caller({ tenants: '*' });
});
afterAll(() => api[Symbol.asyncDispose]());

const enqueue = (caller: Caller): Promise<Answer> => caller.call('POST', '/v1/jobs', { type: 't' });

/** What is enqueued over HTTP reaches the queue, which claims are served from, a moment later. */
const untilInQueue = (what: string, sql: string, { tenantId }: Caller) =>
  waitUntil(what, async () => (await api.database.pool.query(sql, [tenantId])).rows.length > 0);

/** Keeps the projection that lines jobs up from moving on. */
async function holdLine(): Promise<AsyncDisposable> {
  const client = await api.database.pool.connect();
  await client.query('begin');
  await waitUntil('the line is begun', async () => (await client.query(LINE_CHECKPOINT)).rows.length > 0);
  return {
    async [Symbol.asyncDispose]() {
      await client.query('rollback');
      client.release();
    },
  };
}

const LINE_CHECKPOINT = `
select from eventzr.projection_checkpoints_unlogged
where projection = 'ready-jobs'
for update`;

describe('a paused tenant', () => {
  it('starts nothing, and with mode all takes nothing, until it is resumed', async () => {
    const caller = await api.caller();
    const path = `/v1/tenants/${caller.tenantId}/pause`;
    await enqueue(caller);
    await untilInQueue('the job is ready', 'select from eventzr.ready_jobs where tenant_id = $1', caller);
    const claims = await platform.call('PUT', path, { reason: 'unpaid' });
    expect(claims.body.suspended).toMatchObject({ mode: 'claims', reason: 'unpaid', until: null });
    expect((await enqueue(caller)).status).toBe(201);
    const all = await platform.call('PUT', path, { reason: 'still unpaid', mode: 'all' });
    expect(all.body.suspended).toMatchObject({ mode: 'all', since: claims.body.suspended.since });
    expect(await enqueue(caller)).toMatchObject({
      status: 409,
      body: { code: 'tenant-paused', suspension: { reason: 'still unpaid', until: null } },
    });
    expect((await caller.call('POST', '/v1/claims', { workerId: 'w' })).status).toBe(204);
    const listed = await platform.call('GET', '/v1/tenants?suspended=true', undefined, {
      'await-position': all.headers.get('event-position') ?? '',
    });
    expect(listed.body.data).toMatchObject([{ id: caller.tenantId }]);
    expect((await platform.call('DELETE', `${path}?reason=paid`)).body.suspended).toBeNull();
    expect((await enqueue(caller)).status).toBe(201);
    await waitUntil('its jobs are handed out', async () => {
      const claimed = await caller.call('POST', '/v1/claims', { workerId: 'w', waitMs: 100 });
      return claimed.status === 200;
    });
  });
});

describe('while the projection that lines jobs up stands still', () => {
  it.each([
    ['queue', '/v1/queues/default/pause'],
    ['tenant', '/v1/tenants/TENANT/pause'],
  ])('a %s whose pause was answered is handed nothing by any server', async (_, at) => {
    const caller = await api.caller();
    await using second = await startLiveApi({}, api.database);
    const worker = await second.caller({ tenants: [caller.tenantId] });
    const path = at.replace('TENANT', caller.tenantId);
    await using _held = await holdLine();
    const by = path.startsWith('/v1/tenants') ? platform : caller;
    expect((await by.call('PUT', path, { reason: 'test' })).status).toBeLessThan(300);
    await enqueue(caller);
    await untilInQueue('the job is ready', 'select from eventzr.ready_jobs where tenant_id = $1', caller);
    for (const process of [caller, worker])
      expect((await process.call('POST', '/v1/claims', { workerId: 'w' })).status).toBe(204);
    await by.call('DELETE', `${path}?reason=test`);
    const claimed = await worker.call('POST', '/v1/claims', { workerId: 'w', waitMs: 20_000 });
    expect(claimed.status).toBe(200);
  });
});

it('says who paused a queue', async () => {
  const caller = await api.caller();
  await enqueue(caller);
  const paused = await caller.call('PUT', '/v1/queues/default/pause', { reason: 'maintenance' });
  const { body } = await caller.call('GET', '/v1/queues/default', undefined, {
    'await-position': paused.headers.get('event-position') ?? '',
  });
  expect(body.paused).toMatchObject({ reason: 'maintenance', by: expect.stringContaining('test') });
});
