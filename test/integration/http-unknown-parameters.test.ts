import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../src/adapters/http/contract/problem.ts';
import { type TestApi, testApi } from '../support/api.ts';
import { apiOperations } from '../support/api-operations.ts';

const inPath = (path: string): string =>
  path
    .replace('/keys/{id}', '/keys/abcdefghijkl')
    .replace('{id}', '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f')
    .replaceAll(/\{\w+\}/g, 'some');

describe('an unknown parameter', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await testApi();
  });
  afterAll(() => api[Symbol.asyncDispose]());

  const operations = apiOperations().filter(({ permission }) => permission !== undefined);

  it.each(operations)('is refused by $id', async ({ method, path, body }) => {
    const response = await api.app.inject({
      method: method as 'GET',
      url: `${inPath(path)}?colour=red`,
      headers: { authorization: 'Bearer platform-admin', 'on-behalf-of': 'a' },
      ...(body !== undefined && { payload: body as object }),
    });
    expect(response.statusCode, response.body).toBe(400);
    const { errors } = response.json<Problem>();
    expect(errors).toContainEqual({ pointer: 'colour', detail: 'is not a known field' });
    expect(await api.parts.log.head()).toBe(0n);
  });

  it('is not what names the tenant of a read', async () => {
    const headers = { authorization: 'Bearer platform-admin' };
    const response = await api.app.inject({ method: 'GET', url: '/v1/queues?tenant=a', headers });
    expect(response.statusCode, response.body).toBe(200);
  });
});
