import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scanJson } from '../../src/commands/json-scanner.ts';
import { type TestApi, testApi } from '../support/api.ts';

/** Documents that parsing and printing would change. */
const DELICATE = [
  '12345678901234567890',
  '-0',
  '1.0',
  '1e400',
  '0.1000',
  '{"b":1,"a":2,"10":3,"9":4}',
  '{ "spaced" : [ 1 , 2 ] }',
  '"\\u00e9\\/\\u0041"',
  '"\u2028é😀"',
  '{"a":{"payload":"inner"},"payload":1.50}',
  '{"constructor":"Ferrari"}',
  '[[[[{"payload":1.0}]]]]',
  'null',
  'false',
  '""',
  '[]',
];

describe('payloads', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await testApi();
  });
  afterAll(() => api[Symbol.asyncDispose]());

  const payloadsIn = (body: string): string[] =>
    Array.from(body.matchAll(/"payload":(.*?)\}$/gs), ([, payload]) => payload ?? '');
  const idOf = (body: string): string => /"id":"([^"]+)"/.exec(body)?.[1] ?? '';

  it.each(DELICATE)('go in and come out byte for byte: %s', async (payload) => {
    const created = await api.call('POST', '/v1/jobs', `{"type":"t","payload":${payload},"tags":["x"]}`);
    expect(created.statusCode, created.body).toBe(201);
    expect(payloadsIn(created.body)).toEqual([payload]);
    const read = await api.call('GET', `/v1/jobs/${idOf(created.body)}`);
    expect(payloadsIn(read.body)).toEqual([payload]);
    const events = await api.call('GET', `/v1/jobs/${idOf(created.body)}/events`);
    expect(events.body).toContain(`"payload":${payload}`);
  });

  it.each(DELICATE)('keep their bytes in bulk, and through an edit: %s', async (payload) => {
    const bulk = await api.call(
      'POST',
      '/v1/jobs/bulk',
      `{"jobs":[{"type":"t","payload":1},\n{"payload": ${payload} ,"type":"t"}]}`,
    );
    const [, second] = bulk.json<{ results: { job: { id: string } }[] }>().results;
    const url = `/v1/jobs/${second?.job.id}`;
    expect(payloadsIn((await api.call('GET', url)).body)).toEqual([payload]);
    const amended = await api.call('PATCH', url, `{"payload" :${payload}}`);
    expect(payloadsIn(amended.body)).toEqual([payload]);
  });

  it('have line breaks outside of strings turned into blanks', async () => {
    const created = await api.call('POST', '/v1/jobs', '{"type":"t","payload":{\r\n  "a": 1.0\n}}');
    expect(payloadsIn(created.body)).toEqual(['{    "a": 1.0 }']);
  });

  it('may be absent, which is null', async () => {
    const created = await api.call('POST', '/v1/jobs', { type: 't' });
    expect(payloadsIn(created.body)).toEqual(['null']);
  });

  it('of results keep their bytes too', async () => {
    const { leaseToken, snapshot } = await api.claimOne();
    const url = `/v1/jobs/${snapshot.jobId}`;
    const done = await api.call('POST', `${url}/complete`, `{"leaseToken":"${leaseToken}","result":1.50}`);
    expect(done.statusCode, done.body).toBe(200);
    expect((await api.call('GET', url)).body).toContain('"result":1.50}');
    expect((await api.call('GET', '/v1/events?limit=200')).body).toContain('"result":1.50}');
  });
});

describe('the JSON scanner', () => {
  const limits = { maxDepth: 20, keep: new Set(['payload']), keepDepth: 1 };
  const scan = (text: string) => scanJson(text, limits);
  /** No member named payload inside, so that only the outer one is kept. */
  const json = fc.json({ maxDepth: 5, stringUnit: 'grapheme' });
  const blank = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

  it('cuts out exactly what stands there', () => {
    fc.assert(
      fc.property(json, blank, blank, (value, before, after) => {
        const result = scan(`{"x":[1,{"payload":2}],"payload":${before}${value}${after}}`);
        // Random strings may hold what is refused; then there is nothing to cut.
        if (result.kind === 'fault') return result.fault.kind !== 'malformed';
        return result.slices.get('/payload') === value && result.slices.size === 1;
      }),
    );
  });

  it('takes and refuses the same texts as JSON.parse', () => {
    const mutated = fc.tuple(
      json,
      fc.nat(),
      fc.constantFrom('', ',', '"', '}', '[', '1', '\\', '-', '.', 'e', ' '),
    );
    fc.assert(
      fc.property(mutated, ([text, at, insert]) => {
        const place = at % (text.length + 1);
        const broken = text.slice(0, place) + insert + text.slice(place + 1);
        const result = scan(broken);
        // What else it refuses, it refuses before it has seen the end.
        if (result.kind === 'fault' && result.fault.kind !== 'malformed') return true;
        const refused = result.kind === 'fault';
        return refused === !parses(broken);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '01',
    '1.',
    '.5',
    '+1',
    '1e',
    'nul',
    '"\\x"',
    '"\\u12g4"',
    '"\n"',
    '"',
    '[1,]',
    '{"a"}',
    '{,}',
    '',
  ])('refuses %j like JSON.parse', (text) => {
    expect(parses(text)).toBe(false);
    expect(scan(text)).toMatchObject({ kind: 'fault', fault: { kind: 'malformed' } });
  });

  const parses = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
});
