import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TestApi, testApi } from '../support/api.ts';
import { appendQuota } from '../support/public-quota-events.ts';
import { waitUntil } from '../support/wait-until.ts';

interface SseEvent {
  readonly id: string;
  readonly event: string | undefined;
  readonly data: string | undefined;
}

let api: TestApi;
let address: AddressInfo;

beforeEach(async () => {
  api = await testApi({ limits: { streams: 2, waitingClaims: 1 } });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  address = api.app.server.address() as AddressInfo;
});
afterEach(() => api[Symbol.asyncDispose]());

const enqueue = (type: string, key = 'admin-a', body: object = {}) =>
  api.call('POST', '/v1/jobs', { type, ...body }, { authorization: `Bearer ${key}` });

/** An open stream and what has come of it so far. */
async function open(query = '', headers: Record<string, string> = {}) {
  const request = httpRequest({
    port: address.port,
    path: `/v1/events/stream${query}`,
    headers: { authorization: 'Bearer admin-a', ...headers },
  }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  let ended = false;
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  response.on('close', () => {
    ended = true;
  });
  return {
    response,
    close: () => request.destroy(),
    hasEnded: () => ended,
    events: () =>
      text
        .split('\n\n')
        .map(parse)
        .filter((event) => event.data !== undefined),
    raw: () => text,
  };
}

function parse(block: string): SseEvent {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
  return { id: field('id') ?? '', event: field('event'), data: field('data') };
}

const typesOf = (events: readonly SseEvent[]): (string | undefined)[] =>
  events.filter(({ event }) => event !== 'caught-up').map(({ data }) => JSON.parse(data ?? '').data.type);

describe('the event stream', () => {
  it('sends what was, says that it has caught up, and goes on with what happens', async () => {
    await enqueue('one');
    const stream = await open('?after=0');
    expect(stream.response.headers['content-type']).toContain('text/event-stream');
    await waitUntil('it caught up', () => stream.events().some(({ event }) => event === 'caught-up'));
    await enqueue('two');
    await waitUntil('two came', () => typesOf(stream.events()).length === 2);
    expect(stream.events().map(({ event }) => event)).toEqual([
      'eventzr.jobs.enqueued.v1',
      'caught-up',
      'eventzr.jobs.enqueued.v1',
    ]);
    expect(typesOf(stream.events())).toEqual(['one', 'two']);
    stream.close();
  });

  it('resumes after the last event that a client got', async () => {
    await enqueue('one');
    const first = await open('?after=0');
    await waitUntil('one came', () => first.events()[0]);
    first.close();
    await enqueue('two');
    const second = await open('', { 'last-event-id': first.events()[0]?.id ?? '' });
    await waitUntil('it caught up', () => second.events().some(({ event }) => event === 'caught-up'));
    expect(typesOf(second.events())).toEqual(['two']);
    second.close();
  });

  it('starts now when nobody says where', async () => {
    await enqueue('before');
    const stream = await open();
    await waitUntil('it caught up', () => stream.events().some(({ event }) => event === 'caught-up'));
    await enqueue('after');
    await waitUntil('an event came', () => typesOf(stream.events()).length > 0);
    expect(typesOf(stream.events())).toEqual(['after']);
    stream.close();
  });

  it('has what happens to the quota of the tenant, and of no other whose name begins alike', async () => {
    const { log } = api.parts;
    await appendQuota(log, 'ab');
    await appendQuota(log, 'a');
    await enqueue('job');
    const quota = ['eventzr.jobs.quota.exceeded.v1', 'eventzr.jobs.quota.reset.v1'];
    const all = await open('?after=0');
    const ofQueue = await open('?after=0&queue=default');
    await waitUntil('both caught up', () =>
      [all, ofQueue].every((stream) => stream.events().some(({ event }) => event === 'caught-up')),
    );
    const shown = (stream: typeof all) =>
      stream.events().flatMap(({ event }) => (event === 'caught-up' ? [] : [event]));
    expect(shown(all)).toEqual([...quota, 'eventzr.jobs.enqueued.v1']);
    expect(shown(ofQueue)).toEqual(['eventzr.jobs.enqueued.v1']);
    for (const stream of [all, ofQueue]) stream.close();
    const page = (await api.call('GET', `/v1/events?types=${quota.join()}`)).json();
    expect(page.data.map(({ event }: { event: { type: string; subject: string } }) => event)).toMatchObject(
      quota.map((type) => ({ type, subject: 'a', data: { tenantId: 'a' } })),
    );
  });

  it('shows a tenant its own events only, and those that the filter asks for', async () => {
    await enqueue('theirs', 'admin-b');
    await enqueue('elsewhere', 'admin-a', { queue: 'other' });
    const { id } = (await enqueue('wanted')).json<{ id: string }>();
    await api.call('POST', `/v1/jobs/${id}/cancel`);
    const all = await open('?after=0');
    const some = await open('?after=0&queue=default&types=eventzr.jobs.cancelled.v1');
    await waitUntil('both caught up', () =>
      [all, some].every((stream) => stream.events().some(({ event }) => event === 'caught-up')),
    );
    expect(typesOf(all.events())).toEqual(['elsewhere', 'wanted', 'wanted']);
    expect(some.events().map(({ event }) => event)).toEqual(['eventzr.jobs.cancelled.v1', 'caught-up']);
    expect(all.raw()).not.toContain('theirs');
    all.close();
    some.close();
  });

  it('moves the id on past what the filter left out', async () => {
    await enqueue('elsewhere');
    const stream = await open('?after=0&queue=other');
    const head = String(await api.parts.log.head());
    await waitUntil('the id moved on', () => stream.raw().includes(`id: ${head}\n`));
    stream.close();
  });

  it('has signs of life when nothing happens', async () => {
    await api[Symbol.asyncDispose]();
    api = await testApi({ limits: { streamPingMs: 10 } });
    await api.app.listen({ port: 0, host: '127.0.0.1' });
    address = api.app.server.address() as AddressInfo;
    const stream = await open();
    await waitUntil('it pings twice', () => stream.raw().split(': ping\n\n').length > 2);
    stream.close();
  });

  it('refuses clients that want something else', async () => {
    const response = await api.call('GET', '/v1/events/stream', undefined, { accept: 'application/json' });
    expect(response.statusCode).toBe(406);
  });

  it('is open for so many clients at once, and again when one has gone', async () => {
    const [one, two] = [await open(), await open()];
    const refused = await open();
    expect(refused.response.statusCode).toBe(429);
    expect(refused.response.headers['retry-after']).toBe('1');
    one.close();
    const next = await waitUntil('there is room', async () => {
      const stream = await open();
      return stream.response.statusCode === 200 ? stream : undefined;
    });
    next.close();
    two.close();
  });

  it('ends when the server stops', async () => {
    const stream = await open();
    await api.app.close();
    await waitUntil('the stream ended', () => stream.hasEnded());
  });

  it('drops a client that does not read', async () => {
    await api[Symbol.asyncDispose]();
    api = await testApi({ limits: { slowStreamMs: 50 } });
    await api.app.listen({ port: 0, host: '127.0.0.1' });
    address = api.app.server.address() as AddressInfo;
    const payload = 'x'.repeat(200_000);
    const jobs = Array.from({ length: 18 }, () => ({ type: 't', payload }));
    for (let batch = 0; batch < 8; batch += 1) await api.call('POST', '/v1/jobs/bulk', { jobs });
    const request = httpRequest({
      port: address.port,
      path: '/v1/events/stream?after=0',
      headers: { authorization: 'Bearer admin-a' },
    }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    // Never read: the kernel's buffers fill, then the server's.
    await waitUntil('the server let go', async () => {
      const connections = await new Promise<number>((resolve) => {
        api.app.server.getConnections((_error, count) => resolve(count));
      });
      return connections === 0;
    });
    response.destroy();
  });
});

describe('event pages', () => {
  it('go on from where the last one ended', async () => {
    for (const type of ['one', 'two', 'three']) await enqueue(type);
    await enqueue('theirs', 'admin-b');
    interface Page {
      readonly data: { event: { data: { type: string } } }[];
      readonly position: string;
      readonly caughtUp: boolean;
    }
    const seen: string[] = [];
    let after = '0';
    for (let page = 0; page < 3; page += 1) {
      const answer = (await api.call('GET', `/v1/events?limit=2&after=${after}`)).json<Page>();
      seen.push(...answer.data.map(({ event }) => event.data.type));
      after = answer.position;
      if (answer.caughtUp) break;
    }
    expect(seen).toEqual(['one', 'two', 'three']);
    const rest = (await api.call('GET', `/v1/events?after=${after}`)).json<Page>();
    expect(rest).toMatchObject({ data: [], caughtUp: true });
  });
});

describe('waiting claims', () => {
  const claim = (waitMs: number) => {
    const body = JSON.stringify({ workerId: 'w', waitMs });
    const request = httpRequest({
      port: address.port,
      path: '/v1/claims',
      method: 'POST',
      headers: { authorization: 'Bearer admin-a', 'content-type': 'application/json' },
    }).end(body);
    request.on('error', () => undefined);
    return request;
  };

  async function withClaims(): Promise<{ readonly signals: AbortSignal[] }> {
    const signals: AbortSignal[] = [];
    await api[Symbol.asyncDispose]();
    api = await testApi({
      limits: { waitingClaims: 1 },
      useCases: {
        claimJobs: async (_context, _request, { signal } = {}) => {
          if (!signal) return [];
          signals.push(signal);
          if (!signal.aborted) await once(signal, 'abort');
          return [];
        },
      },
    });
    await api.app.listen({ port: 0, host: '127.0.0.1' });
    address = api.app.server.address() as AddressInfo;
    return { signals };
  }

  it('are given up when the worker goes away', async () => {
    const { signals } = await withClaims();
    const request = claim(30_000);
    const signal = await waitUntil('the claim waits', () => signals[0]);
    expect(signal.aborted).toBe(false);
    request.destroy();
    await waitUntil('it was given up', () => signal.aborted);
  });

  it('are answered with nothing when the server stops', async () => {
    const { signals } = await withClaims();
    const request = claim(30_000);
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    await waitUntil('the claim waits', () => signals[0]);
    await api.app.close();
    const [response] = await answered;
    expect(response.statusCode).toBe(204);
  });

  it('are bounded in number', async () => {
    const { signals } = await withClaims();
    const request = claim(30_000);
    await waitUntil('the claim waits', () => signals[0]);
    const refused = await api.call('POST', '/v1/claims', { workerId: 'w', waitMs: 1_000 });
    expect(refused.statusCode).toBe(429);
    expect((await api.call('POST', '/v1/claims', { workerId: 'w' })).statusCode).toBe(204);
    request.destroy();
  });
});
