import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/adapters/http/contract/audit.ts';
import { verifyAll } from '../support/audit.ts';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
let platform: Caller;
beforeAll(async () => {
  api = await startLiveApi();
  platform = await api.caller({ tenants: '*' });
});
afterAll(() => api?.[Symbol.asyncDispose]());

/** The audit as of the last change. */
async function audit({ call }: Caller, query = '', last?: string | null): Promise<readonly AuditEntry[]> {
  const headers: Record<string, string> = last ? { 'await-position': last } : {};
  return (await call('GET', `/v1/audit${query}`, undefined, headers)).body.data;
}

const brief = ({ action, subject, reason }: AuditEntry) => ({ action, subject, reason });

describe('the audit', () => {
  it('has what people command, with who, why and by which request; not the work itself', async () => {
    const caller = await api.caller();
    const { call, tenantId, keyId } = caller;
    const job = (body: object) => call('POST', '/v1/jobs', { type: 't', ...body });
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const waiting = (await job({ runAt: later })).body.id;
    const running = (await job({ queue: 'busy' })).body.id;
    const dying = (await job({ queue: 'dying', maxAttempts: 1 })).body.id;
    const claim = async (queue: string) =>
      (await call('POST', '/v1/claims', { workerId: 'w', queues: [queue], waitMs: 30_000 })).body.claims[0];
    const busy = await claim('busy');
    const { leaseToken } = await claim('dying');
    await call('POST', `/v1/jobs/${dying}/fail`, { leaseToken, error: { type: 'E', message: 'm' } });
    await call('PATCH', `/v1/jobs/${waiting}`, { priority: 1, reason: 'urgent' });
    const cancelled = await call('POST', `/v1/jobs/${waiting}/cancel`, { reason: 'withdrawn' });
    await call('POST', `/v1/jobs/${running}/cancel`, { reason: 'stop' });
    await call('POST', `/v1/jobs/${running}/acknowledge-cancel`, { leaseToken: busy.leaseToken });
    await call('POST', `/v1/dead-letters/${dying}/replay`, { reason: 'fixed', queue: 'again' });
    await call('PUT', '/v1/queues/mail/pause', { reason: 'maintenance' });
    await call('PATCH', '/v1/queues/mail', { concurrencyLimit: 3, reason: 'slow' });
    await call('PUT', '/v1/workers/w/quiet');
    const key = await call('POST', '/v1/keys', { name: 'k', role: 'viewer', reason: 'for ann' });
    const revoked = await call('DELETE', `/v1/keys/${key.body.id}?reason=gone`);
    const entries = await audit(caller, '', revoked.headers.get('event-position'));
    expect(entries.map(brief).reverse()).toEqual([
      { action: 'JobAmended', subject: waiting, reason: 'urgent' },
      { action: 'JobCancelled', subject: waiting, reason: 'withdrawn' },
      { action: 'JobCancelRequested', subject: running, reason: 'stop' },
      { action: 'DeadLetterReplayed', subject: dying, reason: 'fixed' },
      { action: 'QueuePaused', subject: 'mail', reason: 'maintenance' },
      { action: 'QueueLimitChanged', subject: 'mail', reason: 'slow' },
      { action: 'worker.quiet', subject: 'w', reason: null },
      { action: 'ApiKeyCreated', subject: key.body.id, reason: 'for ann' },
      { action: 'ApiKeyRevoked', subject: key.body.id, reason: 'gone' },
    ]);
    for (const entry of entries) {
      expect(entry).toMatchObject({ tenantId, actor: { id: `test (${keyId})`, auth: 'api_key' } });
    }
    const cancel = entries.find(({ action }) => action === 'JobCancelled');
    expect(cancel?.requestId).toBe(cancelled.headers.get('request-id'));
    expect(cancel?.jobId).toBe(waiting);
    const history = await call('GET', `/v1/jobs/${waiting}/events`);
    expect(history.body.data.map(({ requestId }: { requestId: string | null }) => requestId)).toEqual([
      null,
      expect.any(String),
      cancel?.requestId,
    ]);
  });

  it('is searched by actor, action, job and time, page by page', async () => {
    const caller = await api.caller();
    const { call, tenantId } = caller;
    const ann = (await call('POST', '/v1/keys', { name: 'ann', role: 'operator' })).body;
    const asAnn = { authorization: `Bearer ${ann.token}` };
    const id = (await call('POST', '/v1/jobs', { type: 't' })).body.id;
    for (const queue of ['a', 'b', 'c']) await call('PUT', `/v1/queues/${queue}/pause`, {}, asAnn);
    const cancelled = await call('POST', `/v1/jobs/${id}/cancel`, {});
    const last = cancelled.headers.get('event-position');
    const find = async (query: string) =>
      (await audit(caller, query, last)).map(({ action, subject }) => `${action} ${subject}`);
    const paused = ['QueuePaused c', 'QueuePaused b', 'QueuePaused a'];
    expect(await find(`?actor=${encodeURIComponent(`ann (${ann.id})`)}`)).toEqual(paused);
    expect(await find('?action=QueuePaused')).toEqual(paused);
    expect(await find(`?jobId=${id}`)).toEqual([`JobCancelled ${id}`]);
    expect(await find(`?action=ApiKeyCreated,JobCancelled`)).toEqual([
      `JobCancelled ${id}`,
      `ApiKeyCreated ${ann.id}`,
    ]);
    const [newest] = await audit(caller, '', last);
    expect(await find(`?from=${newest?.at}`)).toContain(`JobCancelled ${id}`);
    expect(await find(`?to=${newest?.at}`)).not.toContain(`JobCancelled ${id}`);
    expect(await find('?from=2100-01-01T00:00:00Z')).toEqual([]);
    const first = (await call('GET', '/v1/audit?limit=2')).body;
    const second = (await call('GET', `/v1/audit?limit=2&cursor=${first.nextCursor}`)).body;
    const back = (await call('GET', `/v1/audit?limit=2&cursor=${second.prevCursor}`)).body;
    expect(back.data).toEqual(first.data);
    const ids = [...first.data, ...second.data].map(({ id: entry }: AuditEntry) => entry);
    expect(new Set(ids).size).toBe(4);
    expect((await call('GET', '/v1/audit?cursor=x')).body.code).toBe('invalid-cursor');
    const ofTenant = await audit(platform, `?tenant=${tenantId}`);
    expect(ofTenant).toHaveLength(5);
  });

  it('names the operator who acts for a tenant, and the platform sees what concerns all', async () => {
    const caller = await api.caller();
    const { tenantId } = caller;
    const paused = await platform.call(
      'PUT',
      '/v1/queues/mail/pause',
      { reason: 'abuse' },
      {
        'on-behalf-of': tenantId,
      },
    );
    const last = paused.headers.get('event-position');
    const [entry] = await audit(caller, '', last);
    expect(entry).toMatchObject({
      tenantId,
      actor: { id: `test (${platform.keyId})`, auth: 'api_key' },
      reason: 'abuse',
    });
    await platform.call('POST', '/v1/projections/jobs/verify');
    const shared = await platform.call('POST', '/v1/keys', {
      name: 's',
      role: 'worker',
      tenants: ['a', 'b'],
    });
    const seen = await audit(platform, '', shared.headers.get('event-position'));
    expect(seen.slice(0, 2)).toMatchObject([
      { tenantId: null, action: 'ApiKeyCreated', details: { tenants: ['a', 'b'], role: 'worker' } },
      { tenantId: null, action: 'projection.verify', subject: 'jobs' },
    ]);
    const own = await audit(caller, '', shared.headers.get('event-position'));
    expect(own).toHaveLength(1);
    await waitUntil('the verification is over', async () => {
      const { body } = await platform.call('GET', '/v1/projections/jobs');
      return ['done', 'failed'].includes(body.rebuild?.phase);
    });
  });

  it('of many jobs at once names the request that asked for all', async () => {
    const caller = await api.caller();
    const { call } = caller;
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await call('POST', '/v1/jobs', { type: 't' })).body.id),
    );
    const started = await call('POST', '/v1/operations', { action: 'cancel', ids, reason: 'all of it' });
    const requestId = started.headers.get('request-id');
    const entries = await waitUntil('all are cancelled', async () => {
      const found = await audit(caller, '?action=JobCancelled');
      return found.length === ids.length ? found : undefined;
    });
    expect(entries.map((entry) => [entry.requestId, entry.reason])).toEqual(
      ids.map(() => [requestId, 'all of it']),
    );
  });

  it('is what the events say, row by row', async () => {
    await waitUntil('every read model has been taken up', async () => {
      const { body } = await platform.call('GET', '/v1/projections');
      return body.data.every(({ status }: { status: string }) => status !== 'waiting');
    });
    expect(await verifyAll(api.database.url)).toEqual({});
  });
});
