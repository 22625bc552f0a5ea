import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { JobsWorker } from '../../src/sdk/index.ts';
import { runCli, startCli } from '../support/cli.ts';
import { type CliService, cliService } from '../support/cli-service.ts';
import { clientOf } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

let service: CliService;
const jobs: CliService['jobs'] = (...args) => service.jobs(...args);
const json: CliService['json'] = (...args) => service.json(...args);
const enqueued: CliService['enqueued'] = (...args) => service.enqueued(...args);

// Every command is a process of its own.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

beforeAll(async () => {
  service = await cliService();
});
afterAll(() => service?.[Symbol.asyncDispose]());

describe('queues, workers and figures', () => {
  it('pauses, limits and resumes a queue', async () => {
    const slow = async () => (await service.client.queues.list()).find(({ name }) => name === 'slow');
    await enqueued('email.send', 'null', '--queue', 'slow');
    expect(await json('queues', 'pause', 'slow', '--reason', 'moving', '--until', '30m')).toEqual({
      queue: 'slow',
      paused: true,
    });
    expect((await jobs('queues', 'limit', 'slow', '5')).out).toBe('slow runs at most 5 at once\n');
    await waitUntil('it is known, and so is its job', async () => {
      const { concurrencyLimit, counts } = (await slow()) ?? {};
      return concurrencyLimit === 5 && counts?.queued === 1;
    });
    expect((await jobs('queues', 'list')).out).toMatch(/^slow +1 +0 +0 +0 .* 5 .*moving, until/m);
    await jobs('queues', 'resume', 'slow');
    await jobs('queues', 'limit', 'slow', 'none');
    await waitUntil('it is open again', async () => {
      const { paused, concurrencyLimit } = (await slow()) ?? {};
      return paused === null && concurrencyLimit === null;
    });
  });

  it('shows figures and workers', async () => {
    await using worker = new JobsWorker({
      connection: { url: service.url, apiKey: service.key, tenant: 'acme' },
      handlers: { 'report.build': () => undefined },
      leaseMs: 1_000,
    }).start();
    await waitUntil('it was heard of', async () => (await service.client.workers.list()).length > 0);
    expect((await json('stats')).counts).toHaveProperty('queued');
    expect(await json('stats', '--by', '1m', '--from', '5m')).toMatchObject({ bucketMs: 60_000 });
    expect((await jobs('workers', 'list')).out).toMatch(/^WORKER +TOLD TO +SEEN\n/);
    expect((await jobs('workers', 'list')).out).toContain(worker.workerId);
  });
});

describe('projections', () => {
  it('are shown, rebuilt, rolled back and verified', async () => {
    expect((await jobs('projections', 'status')).out).toMatch(/^jobs +\d+ +live /m);
    const rebuilt = await jobs('projections', 'rebuild', 'jobs');
    expect(rebuilt).toMatchObject({ code: 0, out: 'jobs shows the new tables, 0 rows differed\n' });
    expect(rebuilt.err).toMatch(/^jobs: [\d,]+ events in \d+\.\d s/m);
    expect((await jobs('projections', 'rollback', 'jobs')).out).toMatch(
      /^jobs shows the earlier tables, at \d+\n$/,
    );
    const verified = await jobs('projections', 'verify');
    expect(verified.code).toBe(0);
    expect(verified.out).toMatch(/^jobs +same +\d+ +0$/m);
  });

  it('that could not be rebuilt are not said to show new tables', async () => {
    const refused = await jobs('projections', 'rebuild', 'ready-jobs', '--dry-run');
    expect(refused.code).not.toBe(0);
    expect(refused.out).toBe('ready-jobs was not rebuilt\n');
  });

  it('that differ from the events end with exit code 4', async () => {
    const id = await enqueued('tampered', 'null');
    await waitUntil(
      'it is there',
      async () => (await service.client.list({ type: 'tampered' })).data[0]?.id === id,
    );
    await service.database.pool.query(`update eventzr.jobs set priority = 9 where job_id = $1`, [id]);
    const { code, out } = await jobs('projections', 'verify', 'jobs', '--json');
    expect(code).toBe(4);
    expect(JSON.parse(out)).toMatchObject([{ name: 'jobs', verdict: 'different', differences: 1 }]);
    expect(await json('projections', 'rebuild', 'jobs')).toMatchObject({
      outcome: 'swapped',
      differences: 1,
    });
    expect((await jobs('projections', 'verify', 'jobs')).code).toBe(0);
  });
});

describe('events', () => {
  it('are exported to a file or a pipe, all of them', async () => {
    const file = `${service.folder}/events.ndjson`;
    const id = await enqueued('exported', '{"n":12345678901234567890}');
    const { code, err } = await jobs('events', 'export', '--output', file, '--job', id);
    expect({ code, err }).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^export: 1 events; go on with/m),
    });
    const text = await readFile(file, 'utf8');
    expect(text).toContain('"payload":{"n":12345678901234567890}');
    const { out } = await jobs('events', 'export', '--json');
    const all = out.trimEnd().split('\n');
    expect(all.length).toBeGreaterThan(1);
    expect(all.every((line) => JSON.parse(line).event.specversion === '1.0')).toBe(true);
  });

  it('are tailed until Ctrl-C', async () => {
    const run = startCli(['events', 'tail', '--after', '0', '--json'], { env: service.env });
    const first = await waitUntil('an event has come', () => /^.+(?=\n)/.exec(run.out())?.[0]);
    expect(JSON.parse(first)).toMatchObject({ event: { type: 'eventzr.jobs.enqueued.v1' } });
    run.process.kill('SIGINT');
    expect(await run.result).toMatchObject({ code: 0, err: '' });
  });

  it('do not mind a reader that goes away', async () => {
    const run = startCli(['events', 'tail', '--after', '0'], { env: service.env });
    run.process.stdout?.once('data', () => run.process.stdout?.destroy());
    await once(run.process, 'spawn');
    await waitUntil('it was read', () => run.process.stdout?.destroyed);
    // Something has to be written for it to notice.
    await enqueued('noticed', 'null');
    await enqueued('noticed', 'null');
    expect(await run.result).toMatchObject({ code: 0, err: '' });
  });
});

describe('keys', () => {
  it('are made, used, listed and revoked', async () => {
    const made = await json(
      'keys',
      'create',
      '--tenant',
      'other',
      '--role',
      'viewer',
      '--name',
      'board',
      '--expires',
      '1d',
    );
    expect(made).toMatchObject({ tenants: ['other'], role: 'viewer', name: 'board' });
    const as = { ...service.env, JOBS_API_KEY: made.token, JOBS_TENANT: '' };
    expect((await runCli(['list', '--json'], { env: as })).out).toContain('"data": []');
    const refused = await runCli(['enqueue', 'email.send'], { env: as });
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('the role of this key') });
    expect((await jobs('keys', 'list')).out).toMatch(
      new RegExp(`^${made.id} +board +other +viewer +until `, 'm'),
    );
    expect((await jobs('keys', 'list', '--json')).out).not.toContain(made.token);
    const page = await json('keys', 'list', '--limit', '1');
    expect([page.data.length, page.nextCursor]).toEqual([1, expect.any(String)]);
    const every = await jobs('keys', 'list', '--all', '--json');
    expect(
      every.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toContain(made.id);
    expect((await jobs('keys', 'list', '--cursor', 'x')).code).toBe(2);
    const rotated = await json('keys', 'rotate', made.id, '--reason', 'routine');
    await waitUntil('the first secret is refused', () => refuses(service.url, made.token));
    const now = { ...as, JOBS_API_KEY: rotated.token };
    expect((await runCli(['list', '--json'], { env: now })).out).toContain('"data": []');
    expect((await jobs('keys', 'revoke', rotated.token, '--reason', 'gone')).code).toBe(0);
    await waitUntil('it is refused', () => refuses(service.url, rotated.token));
    expect((await runCli(['list'], { env: now })).err).toContain('JOBS_API_KEY');
    expect((await jobs('keys', 'rotate', made.id)).code).toBe(1);
    expect((await jobs('keys', 'revoke', 'aaaaaaaaaaaa')).code).toBe(1);
  });

  it('are made through the service, too, and the audit says who made them', async () => {
    const made = await json('keys', 'create', '--api', '--tenant', 'acme', '--role', 'viewer');
    const listed = await json('keys', 'list', '--api', '--tenant', 'acme', '--limit', '200');
    expect(listed.data.map(({ id }: { id: string }) => id)).toContain(made.id);
    expect((await jobs('keys', 'revoke', '--api', made.id, '--reason', 'not needed')).code).toBe(0);
    const outside = await jobs('keys', 'create', '--api', '--tenant', 'other', '--role', 'viewer');
    expect(outside).toMatchObject({ code: 1, err: expect.stringContaining('the key would do more') });
    const table = await waitUntil('the audit has it', async () => {
      const { out } = await jobs('audit', '--action', 'ApiKeyRevoked');
      return out.includes(made.id) ? out : undefined;
    });
    expect(table).toMatch(new RegExp(`\\(api_key\\) +ApiKeyRevoked +${made.id} +acme +not needed`));
    const all = await runCli(['audit', '--json', '--action', 'ApiKeyCreated,ApiKeyRotated,ApiKeyRevoked'], {
      env: { ...service.env, JOBS_TENANT: '' },
    });
    const others = JSON.parse(all.out).data.filter(
      ({ tenantId }: { tenantId: string }) => tenantId === 'other',
    );
    expect(
      others.map(({ action, actor }: { action: string; actor: { auth: string } }) => [action, actor.auth]),
    ).toEqual([
      ['ApiKeyRevoked', 'cli'],
      ['ApiKeyRotated', 'cli'],
      ['ApiKeyCreated', 'cli'],
    ]);
  });
});

const refuses = (url: string, key: string): Promise<boolean> =>
  clientOf(url, key)
    .stats()
    .then(
      () => false,
      () => true,
    );
