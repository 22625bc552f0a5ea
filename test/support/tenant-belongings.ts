import { createInboxDeadLetters } from '../../src/adapters/postgres/inbox-dead-letters.ts';
import { systemIds } from '../../src/adapters/system.ts';
import type { Caller, LiveApi } from './live-api.ts';
import { waitUntil } from './wait-until.ts';

/** One of everything that a tenant can have; every name and word in it begins with the tenant's id. */
export interface Belongings {
  readonly tenantId: string;
  /** What may stand in a path, by the path's beginning and the parameter's name. */
  readonly at: (path: string, parameter: string) => string;
  /** Texts that nobody else may get to see. */
  readonly secrets: readonly string[];
}

/** `admin` is of this tenant alone. */
export async function tenantBelongings(api: LiveApi, admin: Caller, tenantId: string): Promise<Belongings> {
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await admin.call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const own = (word: string): string => `${tenantId}-${word}`;
  const enqueue = (queue: string) =>
    call('POST', '/v1/jobs', {
      type: own('type'),
      queue: own(queue),
      payload: { word: own('payload') },
      tags: [own('tag')],
      maxAttempts: 1,
    });
  const doomed = await enqueue('doomed');
  const { claims } = await call('POST', '/v1/claims', {
    workerId: own('worker'),
    queues: [own('doomed')],
    waitMs: 30_000,
  });
  await call('POST', `/v1/jobs/${doomed.id}/fail`, {
    leaseToken: claims[0].leaseToken,
    error: { type: own('error'), message: own('message') },
    retry: 'never',
  });
  const job = await enqueue('queue');
  await call('PUT', `/v1/queues/${own('queue')}/pause`, { reason: own('reason') });
  await call('PUT', `/v1/workers/${own('worker')}/quiet`);
  await call('PUT', `/v1/subscriptions/${own('subscription')}`, {
    topic: own('topic'),
    action: { kind: 'enqueue', type: own('type') },
  });
  const operation = await call('POST', '/v1/operations', {
    action: 'retry',
    ids: [job.id],
    reason: own('why'),
  });
  const key = await call('POST', '/v1/keys', { name: own('key'), role: 'viewer' });
  const [letter] = await createInboxDeadLetters(api.database.pool, systemIds()).add([
    {
      topic: own('topic'),
      partition: 0,
      offset: '1',
      groupId: own('group'),
      tenantId,
      key: own('letter'),
      value: Buffer.from(own('value')),
      headers: {},
      sentAt: 0,
      reason: 'invalid',
      error: own('error'),
      stack: null,
      faults: [],
      attempts: 1,
    },
  ]);
  await waitUntil('the read models have it', async () => {
    const dead = await call('GET', '/v1/dead-letters');
    const jobs = await call('GET', '/v1/jobs');
    const audit = await call('GET', '/v1/audit');
    return dead.data.length === 1 && jobs.data.length === 2 && audit.data.length >= 4;
  });
  const places: Readonly<Record<string, string>> = {
    '/v1/jobs id': job.id,
    '/v1/dead-letters id': doomed.id,
    '/v1/queues queue': own('queue'),
    '/v1/tenants tenant': tenantId,
    '/v1/subscriptions name': own('subscription'),
    '/v1/inbox id': letter?.id ?? '',
    '/v1/keys id': key.id,
    '/v1/workers workerId': own('worker'),
    '/v1/operations id': operation.id,
  };
  return {
    tenantId,
    secrets: [tenantId, job.id, doomed.id, operation.id, key.id, admin.keyId, letter?.id ?? 'no letter'],
    at(path, parameter) {
      const place = places[`${path.split('/', 3).join('/')} ${parameter}`];
      if (place === undefined) throw new Error(`what is ${parameter} in ${path}?`);
      return place;
    },
  };
}
