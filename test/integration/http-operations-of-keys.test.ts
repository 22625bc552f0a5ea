import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Operation } from '../../src/adapters/http/contract/operations.ts';
import { createOperationStore } from '../../src/adapters/postgres/operations.ts';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function enqueued({ call }: Caller, count: number): Promise<readonly string[]> {
  const { body } = await call('POST', '/v1/jobs/bulk', { jobs: Array(count).fill({ type: 't' }) });
  return body.results.map(({ job }: { job: { id: string } }) => job.id);
}

const ended = ({ call }: Caller, id: string): Promise<Operation> =>
  waitUntil('the operation has ended', async () => {
    const { body } = await call('GET', `/v1/operations/${id}`);
    return body.status === 'running' ? undefined : (body as Operation);
  });

async function cancelledAmong({ call }: Caller, ids: readonly string[]): Promise<number> {
  const jobs = await Promise.all(ids.map(async (id) => (await call('GET', `/v1/jobs/${id}`)).body));
  return jobs.filter(({ status }) => status === 'cancelled').length;
}

describe('an operation', () => {
  it('stops when its key is revoked, says so, and what it has done stays done', async () => {
    const caller = await api.caller();
    const ids = await enqueued(caller, 60);
    const { id: keyId, token } = (await caller.call('POST', '/v1/keys', { name: 'k', role: 'operator' }))
      .body;
    // Nothing can be written to the log meanwhile: the operation waits in the middle of its work.
    await using stack = new AsyncDisposableStack();
    const held = stack.adopt(await api.database.pool.connect(), (client) => client.release(true));
    await held.query('begin; lock table events in share mode');
    const order = { action: 'cancel', ids };
    const started = await caller.call('POST', '/v1/operations', order, { authorization: `Bearer ${token}` });
    await waitUntil('it has begun', async () => {
      const { rows } = await held.query(`
        select from pg_locks
        where relation = 'events'::regclass and not granted`);
      return rows.length > 0;
    });
    await held.query('update api_keys set revoked_at = now() where key_id = $1', [keyId]);
    await held.query('commit');
    const operation = await ended(caller, started.body.id);
    expect(operation).toMatchObject({
      status: 'failed',
      by: `k (${keyId})`,
      error: `the key that asked for it, k (${keyId}), was revoked; what was changed stays changed`,
    });
    expect(operation.changed).toBeLessThanOrEqual(10);
    expect(await cancelledAmong(caller, ids)).toBe(operation.changed);
  });

  it.each([
    ['was revoked', "revoked_at = now() - interval '1 second'"],
    ['has expired', "expires_at = now() - interval '1 second'"],
  ])('is not gone on with by another process once its key %s', async (words, change) => {
    const caller = await api.caller();
    const ids = await enqueued(caller, 3);
    const { body: key } = await caller.call('POST', '/v1/keys', { name: 'k', role: 'operator' });
    await api.database.pool.query(`update api_keys set ${change} where key_id = $1`, [key.id]);
    // As a process leaves it that accepted it and died.
    const { operationId } = await createOperationStore(api.database.pool).create(
      crypto.randomUUID(),
      {
        tenantId: caller.tenantId,
        actor: { id: `k (${key.id})`, auth: 'api_key' },
        correlationId: 'c',
      },
      { action: 'cancel', ids },
    );
    const operation = await ended(caller, operationId);
    expect(operation).toMatchObject({ status: 'failed', seen: 0, changed: 0 });
    expect(operation.error).toContain(words);
    expect(await cancelledAmong(caller, ids)).toBe(0);
  });

  it.each(['jwt', 'dev_key', 'in_process', 'cli'] as const)(
    'of a caller without a key (%s) is carried out whole',
    async (auth) => {
      const caller = await api.caller();
      const ids = await enqueued(caller, 12);
      const { operationId } = await createOperationStore(api.database.pool).create(
        crypto.randomUUID(),
        { tenantId: caller.tenantId, actor: { id: 'somebody', auth }, correlationId: 'c' },
        { action: 'cancel', ids },
      );
      expect(await ended(caller, operationId)).toMatchObject({ status: 'done', changed: 12, error: null });
    },
  );

  it('outlives the secret that it was asked with, when its key was only rotated', async () => {
    const caller = await api.caller();
    const ids = await enqueued(caller, 3);
    const { body: key } = await caller.call('POST', '/v1/keys', { name: 'k', role: 'operator' });
    await caller.call('POST', `/v1/keys/${key.id}/rotate`, { graceMs: 0 });
    const { operationId } = await createOperationStore(api.database.pool).create(
      crypto.randomUUID(),
      { tenantId: caller.tenantId, actor: { id: `k (${key.id})`, auth: 'api_key' }, correlationId: 'c' },
      { action: 'cancel', ids },
    );
    expect(await ended(caller, operationId)).toMatchObject({ status: 'done', changed: 3 });
  });
});
