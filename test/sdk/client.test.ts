import { describe, expect, it } from 'vitest';
import { JobsApiError, JobsClient, JobsConnectionError } from '../../src/sdk/index.ts';
import { type FakeService, fakeService, problem, sendJson } from '../support/fake-service.ts';
import { freePort } from '../support/running-service.ts';

const clientOf = ({ url }: FakeService, options = {}) =>
  new JobsClient({ url, apiKey: 'ezk_test', tries: 3, ...options });

describe('a call', () => {
  it('carries the key, the body and an idempotency key', async () => {
    await using service = await fakeService((_, response) => sendJson(response, 201, { id: 'job-1' }));
    const job = await clientOf(service).enqueue('email.send', { to: 'ada' }, { priority: 2 });
    expect(job).toEqual({ id: 'job-1' });
    const [request] = service.seen;
    expect(request?.method).toBe('POST');
    expect(request?.path).toBe('/v1/jobs');
    expect(request?.headers.authorization).toBe('Bearer ezk_test');
    expect(request?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.parse(request?.body ?? '')).toEqual({
      type: 'email.send',
      payload: { to: 'ada' },
      priority: 2,
    });
  });

  it('says for which tenant it is, where the key is for several', async () => {
    await using service = await fakeService((_, response) => sendJson(response, 200, {}));
    await clientOf(service, { tenant: 'acme' }).stats();
    expect(service.seen[0]?.headers['on-behalf-of']).toBe('acme');
  });

  it('keeps its idempotency key over the tries, also the one given', async () => {
    await using service = await fakeService((_, response, turn) =>
      turn < 2 ? sendJson(response, 503, problem(503, 'log-unavailable')) : sendJson(response, 201, {}),
    );
    await clientOf(service).enqueue('email.send', null, { idempotencyKey: 'order-7' });
    expect(service.seen.map(({ headers }) => headers['idempotency-key'])).toEqual(Array(3).fill('order-7'));
  });

  it('draws another idempotency key for another call', async () => {
    await using service = await fakeService((_, response) => sendJson(response, 201, {}));
    const client = clientOf(service);
    await client.enqueue('email.send', null);
    await client.enqueue('email.send', null);
    const [first, second] = service.seen.map(({ headers }) => headers['idempotency-key']);
    expect(first).not.toBe(second);
  });

  it('reads many values as one list, and leaves out what is not given', async () => {
    await using service = await fakeService((_, response) => sendJson(response, 200, { data: [] }));
    await clientOf(service).list({ status: ['queued', 'running'], limit: 5 });
    expect(service.seen[0]?.path).toBe('/v1/jobs?status=queued%2Crunning&limit=5');
  });

  it('does not let an id lead to another address', async () => {
    await using service = await fakeService((_, response) =>
      sendJson(response, 404, problem(404, 'not-found')),
    );
    await expect(clientOf(service).cancel('../queues/default?x=')).rejects.toThrow(JobsApiError);
    expect(service.seen[0]?.path).toBe('/v1/jobs/..%2Fqueues%2Fdefault%3Fx%3D/cancel');
  });
});

describe('a call that fails', () => {
  it.each([429, 502, 503, 504])('is tried again after %i', async (status) => {
    await using service = await fakeService((_, response, turn) =>
      turn === 0
        ? sendJson(response, status, problem(status, 'busy'))
        : sendJson(response, 200, { queues: 1 }),
    );
    expect(await clientOf(service).stats()).toEqual({ queues: 1 });
  });

  it('is tried again while the first of its name is still running', async () => {
    const running = problem(409, 'idempotency-in-progress');
    await using service = await fakeService((_, response, turn) =>
      turn === 0
        ? sendJson(response, 409, running, { 'retry-after': '0' })
        : sendJson(response, 201, { id: '1' }),
    );
    expect(await clientOf(service).enqueue('email.send', null)).toEqual({ id: '1' });
  });

  it('is tried again when the answer breaks off', async () => {
    await using service = await fakeService((_, response, turn) => {
      if (turn > 0) return sendJson(response, 200, { queues: 1 });
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"queues"', () => response.destroy());
    });
    expect(await clientOf(service).stats()).toEqual({ queues: 1 });
  });

  it.each([400, 401, 403, 404, 409, 413, 422, 500])('is not tried again after %i', async (status) => {
    await using service = await fakeService((_, response) =>
      sendJson(response, status, problem(status, 'wrong')),
    );
    const failure = await clientOf(service)
      .stats()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(JobsApiError);
    expect(failure).toMatchObject({ status, code: 'wrong', message: 'it is wrong' });
    expect(service.seen).toHaveLength(1);
  });

  it('is given up after as many tries as allowed', async () => {
    await using service = await fakeService((_, response) =>
      sendJson(response, 503, problem(503, 'log-overloaded'), { 'retry-after': '0' }),
    );
    await expect(clientOf(service).stats()).rejects.toMatchObject({ code: 'log-overloaded' });
    expect(service.seen).toHaveLength(3);
  });

  it('says what is wrong where', async () => {
    const errors = [{ pointer: '/type', detail: 'must be a name' }];
    await using service = await fakeService((_, response) =>
      sendJson(response, 422, { ...problem(422, 'validation'), errors, requestId: 'r-1' }),
    );
    const failure = clientOf(service).enqueue('?', null);
    await expect(failure).rejects.toMatchObject({ errors, requestId: 'r-1' });
    await expect(failure).rejects.toThrow('it is validation\n  /type: must be a name');
  });

  it('tells a page that is not from the service from a problem of it', async () => {
    await using service = await fakeService((_, response) => sendJson(response, 404, '<html>no such host'));
    await expect(clientOf(service).stats()).rejects.toMatchObject({ status: 404, code: 'unexpected_answer' });
  });
});

describe('a service that does not answer', () => {
  it('is a connection error, with the reason', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const failure = await new JobsClient({ url, apiKey: 'ezk_test', tries: 2 })
      .stats()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(JobsConnectionError);
    expect((failure as Error).message).toMatch(/did not answer \(2 tries\): .*ECONNREFUSED/);
  });

  it('is given up when the time is up', async () => {
    await using service = await fakeService(() => {});
    // Counted here: a busy machine may give a try up before the service has seen it.
    let tries = 0;
    const counting: typeof fetch = (...call) => {
      tries += 1;
      return fetch(...call);
    };
    const failure = clientOf(service, { timeoutMs: 20, tries: 2, fetch: counting }).stats();
    await expect(failure).rejects.toThrow('did not answer (2 tries): no answer in time');
    expect(tries).toBe(2);
  });

  it('is not asked again once the caller has given up', async () => {
    const caller = new AbortController();
    await using service = await fakeService(() => caller.abort(new Error('enough')));
    const failure = clientOf(service).enqueue('email.send', null, { signal: caller.signal });
    await expect(failure).rejects.toThrow('enough');
    expect(service.seen).toHaveLength(1);
  });
});

describe('lists', () => {
  it('are read page after page', async () => {
    await using service = await fakeService(({ path }, response) => {
      const second = path.includes('cursor=next');
      sendJson(response, 200, {
        data: [second ? 2 : 1],
        nextCursor: second ? null : 'next',
        prevCursor: null,
      });
    });
    const found: unknown[] = [];
    for await (const job of clientOf(service).listAll({ queue: 'mail' })) found.push(job);
    expect(found).toEqual([1, 2]);
    expect(service.seen.map(({ path }) => path)).toEqual([
      '/v1/jobs?queue=mail',
      '/v1/jobs?queue=mail&cursor=next',
    ]);
  });

  it('of a history go on where the page before ended', async () => {
    await using service = await fakeService(({ path }, response) => {
      const from = Number(new URL(path, 'http://x').searchParams.get('fromRevision'));
      sendJson(response, 200, { data: [from], nextRevision: from < 2 ? from + 1 : null });
    });
    const found: unknown[] = [];
    for await (const event of clientOf(service).history('job-1')) found.push(event);
    expect(found).toEqual([0, 1, 2]);
  });
});

describe('numbers that a double cannot hold', () => {
  it('reach a caller who brings a reader for them', async () => {
    await using service = await fakeService((_, response) =>
      sendJson(response, 200, '{"n":12345678901234567890}'),
    );
    const client = clientOf(service, { parse: (text: string) => ({ text }) });
    expect(await client.stats()).toEqual({ text: '{"n":12345678901234567890}' });
  });
});

describe('the feed', () => {
  const entry = (position: number) =>
    `id: ${position}\nevent: eventzr.jobs.enqueued.v1\ndata: {"id":"evt-${position}"}\n\n`;

  it('goes on after the last position when the connection breaks', async () => {
    await using service = await fakeService(({ path }, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const after = new URL(path, 'http://x').searchParams.get('after');
      const text =
        after === null ? `: ping\n\nretry: 2000\n\n${entry(7)}id: 8\n\n` : entry(Number(after) + 1);
      response.write(text, () => response.destroy());
    });
    const positions: string[] = [];
    for await (const { position } of clientOf(service).events({ queue: 'mail' })) {
      positions.push(position);
      if (positions.length === 3) break;
    }
    expect(positions).toEqual(['7', '9', '10']);
    expect(service.seen[1]?.path).toBe('/v1/events/stream?queue=mail&after=8');
  });

  it('puts entries together that arrive in pieces', async () => {
    await using service = await fakeService((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const bytes = Buffer.from(entry(1).replace('evt-1', 'évt-✓'));
      let sent = 0;
      const next = (): void => {
        if (sent >= bytes.length) return;
        sent += 3;
        response.write(bytes.subarray(sent - 3, sent), next);
      };
      next();
    });
    for await (const { event } of clientOf(service).events()) {
      expect(event.id).toBe('évt-✓');
      break;
    }
  });

  it('ends when the caller has had enough', async () => {
    const caller = new AbortController();
    await using service = await fakeService((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': ping\n\n', () => caller.abort());
    });
    for await (const _ of clientOf(service).events({ signal: caller.signal })) expect.unreachable();
  });

  it('is refused for good when the service says so', async () => {
    await using service = await fakeService((_, response) =>
      sendJson(response, 401, problem(401, 'unauthenticated')),
    );
    const reading = (async () => {
      for await (const _ of clientOf(service).events()) expect.unreachable();
    })();
    await expect(reading).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});
