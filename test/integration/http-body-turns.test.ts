import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import type { BodyTurnLimits } from '../../src/adapters/http/body-turns.ts';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { noMetrics } from '../../src/commands/telemetry.ts';
import { testApi } from '../support/api.ts';
import { waitUntil } from '../support/wait-until.ts';

const LARGE = 2_400;

interface Posting {
  readonly key?: string;
  readonly bytes?: number;
  /** Sent without a length. */
  readonly chunked?: boolean;
  readonly name?: string;
}

/** A service that is at work on every job with a payload until the test lets it go on. */
async function busyService(turns: Partial<BodyTurnLimits> = {}) {
  const log = createMemoryEventLog();
  const enqueueJobs = createEnqueueJobs({ log, clock: systemClock, ids: systemIds() });
  const inWork = new Map<string, () => void>();
  const gauges: Record<string, number> = {};
  const waits: string[] = [];
  let over = false;
  const api = await testApi({
    log,
    limits: {
      bodyBytes: 4_000,
      bodyTurns: { largeBytes: 1_000, atOnceBytes: 5_000, waiting: 3, waitMs: 60_000, ...turns },
    },
    metrics: {
      ...noMetrics,
      gauge: (name, value) => {
        gauges[name] = value;
      },
      observe: (name) => waits.push(name),
    },
    useCases: {
      async enqueueJobs(context, jobs) {
        const { promise, resolve } = Promise.withResolvers<void>();
        inWork.set(jobs[0]?.type ?? '', resolve);
        if (!over) await promise;
        return enqueueJobs(context, jobs);
      },
    },
  });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = api.app.server.address() as AddressInfo;

  function post({ key = 'admin-a', bytes = LARGE, chunked = false, name = 't' }: Posting = {}) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answered = Promise.withResolvers<{ status: number | undefined; code?: string; after?: string }>();
    const request = httpRequest(
      { port, path: '/v1/jobs', method: 'POST', agent: false, headers },
      (response) => void read(response).then(answered.resolve, answered.reject),
    );
    request.on('error', answered.reject);
    const body = JSON.stringify({ type: name, payload: 'x'.repeat(bytes - 28) });
    if (!chunked) request.setHeader('content-length', Buffer.byteLength(body));
    // Written before the end, it goes without a length.
    request.write(body);
    request.end();
    answered.promise.catch(() => undefined);
    return { answer: answered.promise, goAway: () => request.destroy() };
  }

  return {
    api,
    post,
    waits,
    names: () => [...inWork.keys()],
    goOn(name: string) {
      inWork.get(name)?.();
      inWork.delete(name);
    },
    inLine: (wanted: number) =>
      waitUntil(`${wanted} wait`, () => (gauges.http_bodies_waiting ?? 0) === wanted),
    working: (...names: string[]) =>
      waitUntil(`${names} are in work`, () => [...inWork.keys()].sort().join() === names.sort().join()),
    async [Symbol.asyncDispose]() {
      over = true;
      for (const goOn of inWork.values()) goOn();
      await api[Symbol.asyncDispose]();
    },
  };
}

async function read(response: IncomingMessage) {
  let text = '';
  for await (const part of response) text += part;
  const { code } = JSON.parse(text) as { code?: string };
  const after = response.headers['retry-after'];
  return { status: response.statusCode, ...(code && { code }), ...(after && { after }) };
}

const TOO_MANY = { status: 429, code: 'too-many-requests', after: '1' };

it('large bodies of one caller are read one after the other, as many as fit at once', async () => {
  await using service = await busyService();
  const first = service.post({ name: 'first' });
  await service.working('first');
  service.post({ name: 'second' });
  await service.working('first', 'second');
  service.post({ name: 'third' });
  await service.inLine(1);
  service.post({ name: 'fourth' });
  await service.inLine(2);
  expect(service.names()).toEqual(['first', 'second']);
  service.goOn('first');
  expect((await first.answer).status).toBe(201);
  await service.working('second', 'third');
  await service.inLine(1);
  expect(service.waits.filter((name) => name === 'http_body_wait')).toHaveLength(1);
});

it('small bodies and those of other callers never wait for them', async () => {
  await using service = await busyService();
  for (const name of ['a', 'b', 'c']) service.post({ name });
  await service.inLine(1);
  service.post({ name: 'small', bytes: 900 });
  service.post({ name: 'other', key: 'producer-a' });
  await waitUntil('both are in work', () => service.names().length === 4);
  expect(service.names()).toEqual(expect.arrayContaining(['small', 'other']));
});

it('bodies that are just large share what two of the longest would take', async () => {
  await using service = await busyService();
  for (const name of ['a', 'b', 'c', 'd']) service.post({ name, bytes: 1_200 });
  await service.working('a', 'b', 'c', 'd');
  service.post({ name: 'e', bytes: 1_200 });
  await service.inLine(1);
});

it('who finds the line full, or waits for too long, is told to come again', async () => {
  await using service = await busyService({ waiting: 1 });
  for (const name of ['a', 'b', 'c']) service.post({ name });
  await service.inLine(1);
  expect(await service.post().answer).toEqual(TOO_MANY);
  await using impatient = await busyService({ waitMs: 30 });
  for (const name of ['a', 'b']) impatient.post({ name });
  await impatient.working('a', 'b');
  expect(await impatient.post().answer).toEqual(TOO_MANY);
  await impatient.inLine(0);
  expect(impatient.names()).toHaveLength(2);
});

it('a body that is too long for its route is refused without waiting', async () => {
  await using service = await busyService();
  for (const name of ['a', 'b', 'c']) service.post({ name });
  await service.inLine(1);
  expect(await service.post({ bytes: 4_100 }).answer).toMatchObject({ status: 413 });
});

it('a client that goes away leaves the line, and gives its turn back', async () => {
  await using service = await busyService();
  const gone = service.post({ name: 'a' });
  await service.working('a');
  service.post({ name: 'b' });
  await service.working('a', 'b');
  const waiting = service.post({ name: 'c' });
  await service.inLine(1);
  service.post({ name: 'd' });
  await service.inLine(2);
  waiting.goAway();
  await service.inLine(1);
  gone.goAway();
  await service.working('a', 'b', 'd');
});

it('a body without a length counts for the most that may come, until it is there', async () => {
  await using service = await busyService({ atOnceBytes: 4_000 });
  service.post({ name: 'a', bytes: 900, chunked: true });
  await service.working('a');
  service.post({ name: 'b', bytes: 1_200, chunked: true });
  await service.working('a', 'b');
  service.post({ name: 'c', bytes: 2_400 });
  await service.working('a', 'b', 'c');
  service.post({ name: 'd', bytes: 900, chunked: true });
  await service.inLine(1);
});

it('those in line are sent away when the service stops', async () => {
  await using service = await busyService();
  for (const name of ['a', 'b']) service.post({ name });
  await service.working('a', 'b');
  const waiting = service.post();
  await service.inLine(1);
  const closed = service.api.app.close();
  expect(await waiting.answer).toMatchObject({ status: 503, code: 'shutting-down' });
  service.goOn('a');
  service.goOn('b');
  await closed;
});

it('who goes away before it is known who it is takes nothing with it', async () => {
  const known = Promise.withResolvers<void>();
  let asked = 0;
  const api = await testApi({
    limits: { bodies: { totalBytes: 5_000, callerBytes: 5_000 } },
    credentials: {
      async verify() {
        asked += 1;
        await known.promise;
        return { name: 'k', auth: 'api_key', tenants: ['a'], role: 'admin' };
      },
    },
  });
  await using _api = api;
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = api.app.server.address() as AddressInfo;
  const headers = { authorization: 'Bearer k', 'content-type': 'application/json', 'content-length': 4_000 };
  const gone = httpRequest({ port, path: '/v1/jobs', method: 'POST', agent: false, headers });
  gone.on('error', () => undefined);
  gone.flushHeaders();
  await waitUntil('it is asked for', () => asked === 1);
  gone.destroy();
  await waitUntil(
    'the server has seen it',
    () =>
      new Promise<boolean>((resolve) => api.app.server.getConnections((_error, open) => resolve(open === 0))),
  );
  known.resolve();
  // Beside this one there would be no room for another, were the first still counted.
  const answers = await Promise.all(
    [1, 2].map(() => api.call('POST', '/v1/jobs', { type: 't', payload: 'x'.repeat(2_000) })),
  );
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([201, 201]);
});
