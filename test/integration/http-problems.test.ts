import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../src/adapters/http/contract/problem.ts';
import { PROBLEMS, type ProblemCode } from '../../src/adapters/http/problem-catalogue.ts';
import { PRINCIPALS, type TestApi, testApi } from '../support/api.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ID, type Request, WAYS } from '../support/ways-to-problems.ts';

const RETRYABLE: readonly ProblemCode[] = [
  'identity-unavailable',
  'kafka-unavailable',
  'too-many-attempts',
  'idempotency-in-progress',
  'contended',
  'too-many-requests',
  'quota-exceeded',
  'tenant-paused',
  'dependency-unavailable',
  'log-overloaded',
  'log-unavailable',
  'shutting-down',
  'projection-behind',
];

/** Reaches its route when the server is already stopping. */
async function callWhileStopping([method, url, body]: Request): ReturnType<TestApi['call']> {
  const lookedUp = Promise.withResolvers<void>();
  const verify = async () => {
    await lookedUp.promise;
    return PRINCIPALS['admin-a'];
  };
  const { app, call } = await testApi({ credentials: { verify } });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const answer = call(method, url, body);
  const closing = app.close();
  await waitUntil('the server stops', () => !app.server.listening);
  lookedUp.resolve();
  await closing;
  return answer;
}

describe('problems', () => {
  const open: TestApi[] = [];
  afterAll(() => Promise.all(open.map((api) => api[Symbol.asyncDispose]())));

  it.each(Object.keys(PROBLEMS) as ProblemCode[])('can be %s', async (code) => {
    const { request, parts, stopping, before = 0 } = WAYS[code];
    const api = await testApi(parts);
    open.push(api);
    for (let times = 0; times < before; times += 1) await api.call(...request);
    const response = stopping ? await callWhileStopping(request) : await api.call(...request);
    const problem = response.json<Problem>();
    expect(problem, response.body).toMatchObject({
      type: `/problems/${code}`,
      title: PROBLEMS[code].title,
      status: PROBLEMS[code].status,
      code,
      requestId: response.headers['request-id'],
    });
    expect(response.statusCode).toBe(PROBLEMS[code].status);
    expect(response.headers['content-type']).toBe('application/problem+json');
    expect(response.headers['retry-after'] !== undefined).toBe(RETRYABLE.includes(code));
    expect(response.body).not.toContain('secret detail');
  });

  it('are all on their page in the documents, and no other', () => {
    const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const rows = Array.from(page.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \|/gm), ([, code, status]) => [
      code,
      Number(status),
    ]);
    const catalogue = Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]);
    expect(rows.toSorted()).toEqual(catalogue.toSorted());
  });

  it('have a page each', async () => {
    const api = await testApi();
    open.push(api);
    for (const [code, { title }] of Object.entries(PROBLEMS)) {
      const page = await api.app.inject({ url: `/problems/${code}` });
      expect(page.statusCode).toBe(200);
      expect(page.body).toContain(title);
    }
    expect((await api.app.inject({ url: '/problems/constructor' })).statusCode).toBe(404);
  });

  it('answer what comes over an open connection while the server stops', async () => {
    const lookedUp = Promise.withResolvers<void>();
    const verify = async () => {
      await lookedUp.promise;
      return PRINCIPALS['admin-a'];
    };
    await using api = await testApi({ credentials: { verify } });
    await api.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = api.app.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    const answers = text(socket);
    const head = 'HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer t\r\n';
    socket.write(`GET /v1/jobs/${ID} ${head}\r\n`);
    await once(api.app.server, 'request');
    const closed = api.app.close();
    await waitUntil('the server stops', () => !api.app.server.listening);
    socket.write(`GET /v1/jobs/${ID} ${head}connection: close\r\n\r\n`);
    await once(api.app.server, 'request');
    lookedUp.resolve();
    const [, late = ''] = (await answers).split(/(?=HTTP\/1\.1 503)/);
    expect(late).toContain('content-type: application/problem+json');
    expect(late).toContain('"code":"shutting-down"');
    await closed;
  });

  it('say which methods an address has', async () => {
    const api = await testApi();
    open.push(api);
    const response = await api.call('DELETE', `/v1/jobs/${ID}`);
    expect(response.headers.allow).toBe('GET, HEAD, PATCH');
  });
});
