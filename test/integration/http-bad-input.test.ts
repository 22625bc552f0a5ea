import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../src/adapters/http/contract/problem.ts';
import { type TestApi, testApi } from '../support/api.ts';

const ID = '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f';
const nest = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

interface BadRequest {
  readonly what: string;
  readonly at: readonly ['POST' | 'PUT' | 'PATCH' | 'GET' | 'DELETE', string];
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
  /** Where the answer says the fault is. */
  readonly pointer?: string;
}

/** Endpoints that carry somebody's document, as a way to put a text in its place. */
const DOCUMENTS = [
  {
    at: ['POST', '/v1/jobs'],
    pointer: '/payload',
    around: (json: string) => `{"type":"t","payload":${json}}`,
  },
  {
    at: ['POST', '/v1/jobs/bulk'],
    pointer: '/jobs/1/payload',
    around: (json: string) => `{"jobs":[{"type":"t"},{"type":"t","payload":${json}}]}`,
  },
  { at: ['PATCH', `/v1/jobs/${ID}`], pointer: '/payload', around: (json: string) => `{"payload":${json}}` },
  {
    at: ['POST', `/v1/jobs/${ID}/retry`],
    pointer: '/payload',
    around: (json: string) => `{"payload":${json}}`,
  },
  {
    at: ['POST', `/v1/dead-letters/${ID}/replay`],
    pointer: '/payload',
    around: (json: string) => `{"payload":${json}}`,
  },
  {
    at: ['POST', `/v1/jobs/${ID}/complete`],
    pointer: '/result',
    around: (json: string) => `{"leaseToken":"x","result":${json}}`,
  },
  {
    at: ['POST', '/v1/claims/ack'],
    pointer: '/acknowledgements/0/result',
    around: (json: string) =>
      `{"acknowledgements":[{"outcome":"completed","leaseToken":"x","result":${json}}]}`,
  },
] as const;

const inDocuments: readonly BadRequest[] = DOCUMENTS.flatMap(({ at, pointer, around }): BadRequest[] => {
  const refused = (what: string, json: string, place: string): BadRequest => ({
    what: `${what} in ${pointer} of ${at.join(' ')}`,
    at,
    body: around(json),
    status: 400,
    code: 'validation',
    pointer: place,
  });
  const depth = pointer.split('/').length - 1;
  return [
    refused('a NUL character', '{"a":"x\\u0000"}', `${pointer}/a`),
    refused('a NUL character in a key', '{"\\u0000":1}', `${pointer}`),
    refused('a lone high surrogate', '["\\ud800"]', `${pointer}/0`),
    refused('a lone low surrogate', '["\\uDC00x"]', `${pointer}/0`),
    refused('__proto__', '{"__proto__":{"x":1}}', `${pointer}/__proto__`),
    refused('an escaped __proto__', '{"\\u005f_proto__":{"x":1}}', `${pointer}/__proto__`),
    refused('constructor.prototype', '{"constructor":{"prototype":{}}}', `${pointer}/constructor/prototype`),
    refused('a member given twice', '{"a":1,"a":2}', `${pointer}/a`),
    refused('nesting of 10,000', nest(10_000), depth >= 4 ? pointer : `${pointer}${'/0'.repeat(4 - depth)}`),
    {
      ...refused('300 KB', JSON.stringify('x'.repeat(300_000)), pointer),
      status: 413,
      code: 'payload-too-large',
    },
  ];
});

const invalid = (
  what: string,
  at: BadRequest['at'],
  body: unknown,
  pointer: string,
  headers: Record<string, string> = {},
): BadRequest => ({ what, at, body, headers, status: 400, code: 'validation', pointer });

const job = (what: string, field: string, value: unknown, pointer = `/${field}`): BadRequest =>
  invalid(what, ['POST', '/v1/jobs'], { type: 't', [field]: value }, pointer);

const inFields: readonly BadRequest[] = [
  invalid('a missing type', ['POST', '/v1/jobs'], {}, '/type'),
  invalid('a body that is no object', ['POST', '/v1/jobs'], [], ''),
  invalid('a body of null', ['POST', '/v1/jobs'], 'null', ''),
  job('a type of a wrong type', 'type', 7),
  job('a type with blanks', 'type', 'a b'),
  job('an unknown field', 'paylod', {}),
  job('an escaping queue name', 'queue', '../x'),
  job('a priority of 0', 'priority', 0),
  job('a negative priority', 'priority', -1),
  job('a huge priority', 'priority', 1e300),
  job('a priority as text', 'priority', '5'),
  job('a fraction of a priority', 'priority', 1.5),
  job('a date of NaN', 'runAt', 'NaN'),
  job('a date as a number', 'runAt', 1_700_000_000_000),
  job('a date that is none', 'runAt', '2026-02-30T00:00:00Z'),
  job('a date without an offset', 'runAt', '2026-02-01T00:00:00'),
  job('a date in the year 300000', 'runAt', '+300000-01-01T00:00:00Z'),
  job('a date before 1970', 'runAt', '1969-12-31T23:59:59Z'),
  job('a date beyond 9999', 'runAt', '9999-12-31T23:59:59-01:00'),
  job('a deadline in the year 300000', 'deadlineAt', '300000-01-01T00:00:00Z'),
  job('negative attempts', 'maxAttempts', -3),
  job('a negative timeout', 'timeoutMs', -1),
  job('a huge timeout', 'timeoutMs', 1e18),
  job('an unknown policy', 'retry', { kind: 'sometimes' }, '/retry/kind'),
  job('an unknown field of a policy', 'retry', { kind: 'fixed', delayMs: 1, delay: 1 }, '/retry/delay'),
  job('a negative delay', 'retry', { kind: 'fixed', delayMs: -1 }, '/retry/delayMs'),
  job('endless steps', 'retry', { kind: 'steps', stepsMs: Array(101).fill(1) }, '/retry/stepsMs'),
  job('21 tags', 'tags', Array(21).fill('x')),
  job('an empty tag', 'tags', ['a', ''], '/tags/1'),
  job('an empty dedupe key', 'dedupeKey', ''),
  job('an endless dedupe key', 'dedupeKey', 'x'.repeat(201)),
  invalid('no jobs', ['POST', '/v1/jobs/bulk'], { jobs: [] }, '/jobs'),
  invalid('1,001 jobs', ['POST', '/v1/jobs/bulk'], { jobs: Array(1_001).fill({ type: 't' }) }, '/jobs'),
  invalid(
    'one bad job among good ones',
    ['POST', '/v1/jobs/bulk'],
    { jobs: [{ type: 't' }, { type: '' }] },
    '/jobs/1/type',
  ),
  invalid('a NUL in a tag', ['POST', '/v1/jobs'], '{"type":"t","tags":["\\u0000"]}', '/tags/0'),
  invalid('an id that is no UUID', ['GET', '/v1/jobs/1'], undefined, 'id'),
  invalid('both moments', ['GET', `/v1/jobs/${ID}?revision=1&asOf=2026-01-01T00:00:00Z`], undefined, 'asOf'),
  invalid('a negative revision', ['GET', `/v1/jobs/${ID}?revision=-1`], undefined, 'revision'),
  invalid('a moment of NaN', ['GET', `/v1/jobs/${ID}?asOf=NaN`], undefined, 'asOf'),
  invalid('nothing to change', ['PATCH', `/v1/jobs/${ID}`], {}, ''),
  invalid('a broken If-Match', ['PATCH', `/v1/jobs/${ID}`], { priority: 1 }, 'If-Match', {
    'if-match': 'seven',
  }),
  invalid('an endless reason', ['POST', `/v1/jobs/${ID}/cancel`], { reason: 'x'.repeat(501) }, '/reason'),
  invalid('a negative grace', ['POST', `/v1/jobs/${ID}/cancel`], { graceMs: -1 }, '/graceMs'),
  invalid('a NUL in a tag to look for', ['GET', '/v1/jobs?tag=%00'], undefined, 'tag'),
  invalid('a NUL in a fingerprint', ['GET', '/v1/dead-letters?fingerprint=a%00'], undefined, 'fingerprint'),
  invalid('a NUL in a reason', ['DELETE', `/v1/dead-letters/${ID}?reason=%00`], undefined, 'reason'),
  { what: 'a broken address', at: ['GET', '/v1/jobs/%ff'], status: 400, code: 'validation' },
  { what: 'an endless address', at: ['GET', `/v1/jobs/${'x'.repeat(500)}`], status: 400, code: 'validation' },
  invalid('a limit of 0', ['GET', '/v1/jobs?limit=0'], undefined, 'limit'),
  invalid('a limit of 201', ['GET', '/v1/jobs?limit=201'], undefined, 'limit'),
  invalid('a limit that is no number', ['GET', '/v1/jobs?limit=many'], undefined, 'limit'),
  invalid('an unknown parameter', ['GET', '/v1/jobs?owner=b'], undefined, 'owner'),
  invalid('an unknown status', ['GET', '/v1/jobs?status=queued,lost'], undefined, 'status.1'),
  invalid('a broken Await-Position', ['GET', '/v1/jobs'], undefined, 'Await-Position', {
    'await-position': '-1',
  }),
  invalid('a broken Correlation-Id', ['POST', '/v1/jobs'], { type: 't' }, 'Correlation-Id', {
    'correlation-id': 'a b',
  }),
  invalid('a broken Idempotency-Key', ['POST', '/v1/jobs'], { type: 't' }, 'Idempotency-Key', {
    'idempotency-key': 'x'.repeat(256),
  }),
  invalid('a purge without a reason', ['DELETE', `/v1/dead-letters/${ID}`], undefined, 'reason'),
  invalid('a broken queue name', ['PUT', '/v1/queues/%20/pause'], {}, 'queue'),
  invalid('a negative limit', ['PATCH', '/v1/queues/q'], { concurrencyLimit: -1 }, '/concurrencyLimit'),
  invalid('a pause until NaN', ['PUT', '/v1/queues/q/pause'], { until: 'NaN' }, '/until'),
  invalid('a claim without a worker', ['POST', '/v1/claims'], {}, '/workerId'),
  invalid('a claim of 1,001', ['POST', '/v1/claims'], { workerId: 'w', max: 1_001 }, '/max'),
  invalid('an endless wait', ['POST', '/v1/claims'], { workerId: 'w', waitMs: 30_001 }, '/waitMs'),
  invalid('a lease of nothing', ['POST', '/v1/claims'], { workerId: 'w', leaseMs: 0 }, '/leaseMs'),
  invalid(
    'an unknown outcome',
    ['POST', '/v1/claims/ack'],
    { acknowledgements: [{ outcome: 'lost', leaseToken: 'x' }] },
    '/acknowledgements/0/outcome',
  ),
  invalid('a failure without an error', ['POST', `/v1/jobs/${ID}/fail`], { leaseToken: 'x' }, '/error'),
  invalid(
    'a negative retry',
    ['POST', `/v1/jobs/${ID}/fail`],
    { leaseToken: 'x', error: { type: 'E', message: '' }, retryAfterMs: -1 },
    '/retryAfterMs',
  ),
  invalid('a position of letters', ['GET', '/v1/events?after=abc'], undefined, 'after'),
  invalid('a position beyond the log', ['GET', '/v1/events?after=9999999999999999999'], undefined, 'after'),
  invalid('an unknown event type', ['GET', '/v1/events?types=orders.placed'], undefined, 'types.0'),
  invalid('a broken Last-Event-ID', ['GET', '/v1/events/stream'], undefined, 'Last-Event-ID', {
    'last-event-id': 'x',
  }),
  invalid(
    'a range backwards',
    ['GET', '/v1/stats/timeseries?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z'],
    undefined,
    'from',
  ),
  invalid('a range too long', ['GET', '/v1/stats/timeseries?from=2020-01-01T00:00:00Z'], undefined, 'from'),
  invalid('a tenant that is none', ['GET', '/v1/jobs?tenant=a.b'], undefined, 'tenant'),
  invalid('a tenant in the address of a change', ['POST', '/v1/jobs?tenant=a'], { type: 't' }, 'tenant'),
  invalid(
    'both ends of a rebuild',
    ['POST', '/v1/projections/jobs/rebuild'],
    { toPosition: '1', toTime: '2026-01-01T00:00:00Z' },
    '/toTime',
    { authorization: 'Bearer platform-admin' },
  ),
];

const WITH_BODY: readonly BadRequest['at'][] = [
  ['POST', '/v1/jobs'],
  ['POST', '/v1/jobs/bulk'],
  ['PATCH', `/v1/jobs/${ID}`],
  ['POST', '/v1/claims'],
  ['POST', '/v1/claims/heartbeat'],
  ['POST', '/v1/claims/ack'],
  ['PUT', '/v1/queues/q/pause'],
  ['POST', `/v1/dead-letters/${ID}/replay`],
];

const inBodies: readonly BadRequest[] = WITH_BODY.flatMap((at): BadRequest[] => {
  const refused = (what: string, body: unknown, status: number, code: string, headers = {}): BadRequest => ({
    what: `${what} at ${at.join(' ')}`,
    at,
    body,
    headers,
    status,
    code,
  });
  return [
    refused('broken JSON', '{"type":"t",}', 400, 'malformed-json'),
    refused('half a JSON', '{"type":', 400, 'malformed-json'),
    refused('two JSONs', '{}{}', 400, 'malformed-json'),
    refused('a byte order mark', '\ufeff{}', 400, 'malformed-json'),
    refused('bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, 'malformed-json'),
    refused('a text', 'type=t', 415, 'unsupported-media-type', { 'content-type': 'text/plain' }),
    refused('a form', 'type=t', 415, 'unsupported-media-type', {
      'content-type': 'application/x-www-form-urlencoded',
    }),
    refused('another charset', '{}', 415, 'unsupported-media-type', {
      'content-type': 'application/json; charset=utf-16',
    }),
    refused('a compressed body', '{}', 415, 'unsupported-media-type', { 'content-encoding': 'gzip' }),
    refused('five MiB', ' '.repeat(5 * 1024 * 1024), 413, 'payload-too-large'),
  ];
});

describe('bad input', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await testApi();
  });
  afterAll(() => api[Symbol.asyncDispose]());

  it.each([...inFields, ...inDocuments, ...inBodies])(
    'is refused and changes nothing: $what',
    async ({ at: [method, url], body, headers, status, code, pointer }) => {
      const response = await api.call(method, url, body, headers);
      const problem = response.json<Problem>();
      expect({ status: response.statusCode, code: problem.code }, response.body).toEqual({ status, code });
      expect(response.headers['content-type']).toBe('application/problem+json');
      if (pointer !== undefined) expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
      expect(await api.parts.log.head()).toBe(0n);
    },
  );

  it('says where JSON breaks off', async () => {
    const response = await api.call('POST', '/v1/jobs', '{\n  "type": oops\n}');
    expect(response.json<Problem>().detail).toBe(
      'the body is not valid JSON at position 12 (line 2, column 11)',
    );
  });

  it('wants a content type', async () => {
    const headers = { authorization: 'Bearer admin-a' };
    const response = await api.app.inject({
      method: 'POST',
      url: '/v1/jobs',
      payload: Buffer.from('{}'),
      headers,
    });
    expect(response.statusCode).toBe(415);
  });

  it('survives bodies of nothing but brackets', async () => {
    const response = await api.call('POST', '/v1/jobs/bulk', '['.repeat(4 * 1024 * 1024));
    expect(response.statusCode).toBe(400);
  });
});
