import { afterAll, beforeAll, expect, it } from 'vitest';
import { createForwarderStore } from '../../src/adapters/postgres/forwarder-store.ts';
import { createLead } from '../../src/adapters/postgres/leadership.ts';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

it('says that nobody forwards to Kafka, and how much is pending', async () => {
  await (await api.caller()).call('POST', '/v1/jobs', { type: 'mail' });
  const { call } = await api.caller({ tenants: '*' });
  const { body } = await call('GET', '/v1/forwarder');
  expect(body).toMatchObject({
    status: 'waiting',
    leader: null,
    position: '0',
    undelivered: 0,
    lastError: null,
  });
  expect(body.lagEvents).toBeGreaterThanOrEqual(1);
});

it('says who forwards, and what holds it up, whichever process is asked', async () => {
  const { call } = await api.caller({ tenants: '*' });
  const store = createForwarderStore(api.database.pool);
  const lead = createLead({ pool: api.database.pool, holder: 'host:1' });
  await using _elsewhere = running((signal) =>
    lead({
      name: 'forwarder',
      signal,
      async task(leading, fence) {
        await store.claim(fence);
        await store.recordFault(fence, { message: 'no broker', attempts: 3, at: Date.UTC(2026, 10, 21) });
        await waitUntil('the test is over', () => leading.aborted);
      },
    }),
  );
  const { body } = await waitUntil('the error shows', async () => {
    const answer = await call('GET', '/v1/forwarder');
    return answer.body.status === 'retrying' ? answer : undefined;
  });
  expect(body).toMatchObject({
    leader: 'host:1',
    lastError: { message: 'no broker', attempts: 3, at: '2026-11-21T00:00:00.000Z' },
  });
});
