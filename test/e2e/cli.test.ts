import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FatalError, JobsWorker } from '../../src/sdk/index.ts';
import { type CliResult, runCli, startCli } from '../support/cli.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { apiKey, clientOf, freePort, type RunningService, startServer } from '../support/running-service.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let server: RunningService;
let place: TempFolder;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createDatabase();
  place = await tempFolder();
  server = await startServer({ DATABASE_URL: database.url });
  env = { JOBS_URL: server.url, JOBS_API_KEY: await apiKey(database.pool), DATABASE_URL: database.url };
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

const jobs = (...args: string[]): Promise<CliResult> => runCli(args, { env, cwd: place.path });

/** The document of a command that must succeed. */
async function json(...args: string[]) {
  const { code, out, err } = await jobs(...args, '--json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

const enqueued = async (...args: string[]): Promise<string> => (await json('enqueue', ...args)).id;

/** Has a worker make dead letters of everything of a type. */
async function killAll(type: string, count: number): Promise<void> {
  const handlers = {
    [type]: () => {
      throw new FatalError('mailbox full');
    },
  };
  await using _ = new JobsWorker({
    connection: { url: server.url, apiKey: env.JOBS_API_KEY ?? '' },
    handlers,
  }).start();
  const client = clientOf(server.url, env.JOBS_API_KEY ?? '');
  await waitUntil(
    'they are dead',
    async () => (await client.deadLetters.list({ type })).data.length === count,
  );
}

describe('jobs', () => {
  it('are enqueued, shown and listed, in tables for people', async () => {
    const { out } = await jobs('enqueue', 'email.send', '{"to":"ada"}', '--queue', 'mail', '--tag', 'vip');
    const id = out.split(' ')[0] ?? '';
    expect(out).toBe(`${id}  queued\n`);
    const shown = await jobs('get', id);
    expect(shown.out).toMatch(/^queue +mail, priority 5$/m);
    expect(shown.out).toMatch(/^payload +\{\n +"to": "ada"/m);
    await waitUntil('the list has it', async () => (await jobs('list', '--queue', 'mail')).out.includes(id));
    const { code, out: list } = await jobs('list', '--queue', 'mail', '--status', 'queued,running');
    expect(code).toBe(0);
    expect(list.split('\n')[0]).toMatch(/^JOB +TYPE +QUEUE +STATUS +ATTEMPTS +CHANGED +LAST ERROR$/);
    expect(list.split('\n')[1]).toMatch(new RegExp(`^${id} +email.send +mail +queued +0/3 `));
  });

  it('keep every digit of their payload', async () => {
    const payload = '{"big":12345678901234567890,"precise":0.1000000000000000055511151231257827}';
    const id = await enqueued('numbers', payload);
    const { out } = await jobs('get', id, '--json');
    expect(out.replaceAll(/\s/g, '')).toContain(`"payload":${payload}`);
  });

  it('take their payload from a file or from standard input', async () => {
    await writeFile(`${place.path}/payload.json`, '{"from":"file"}');
    const fromFile = await enqueued('payloads', '--payload-file', 'payload.json');
    expect((await json('get', fromFile)).payload).toEqual({ from: 'file' });
    const piped = await runCli(['enqueue', 'payloads', '--payload-file', '-', '--json'], {
      env,
      input: '[1]',
    });
    expect(JSON.parse(piped.out).payload).toEqual([1]);
  });

  it('are changed, cancelled, and tell their history', async () => {
    const id = await enqueued('later', 'null', '--run-at', '1h', '--retry', 'steps:1s,1m');
    const changed = await json('amend', id, '--priority', '1', '--tag', 'a', '--tag', 'b', '--revision', '0');
    expect(changed).toMatchObject({ status: 'scheduled', priority: 1, tags: ['a', 'b'], revision: 1 });
    expect((await jobs('amend', id, '--priority', '2', '--revision', '0')).code).toBe(1);
    expect(await json('cancel', id, '--reason', 'withdrawn')).toMatchObject({ status: 'cancelled' });
    expect(await json('get', id, '--revision', '0')).toMatchObject({ status: 'scheduled', priority: 5 });
    const history = await json('get', id, '--events');
    expect(history.map(({ event }: { event: string }) => event)).toEqual([
      'JobEnqueued',
      'JobAmended',
      'JobCancelled',
    ]);
    expect((await jobs('get', id, '--events')).out).toMatch(/^2 +\S+ +JobCancelled .*withdrawn/m);
  });

  it('come from a file, one to a line, and those that are refused are named', async () => {
    const lines = [
      { type: 'bulk', payload: 1 },
      { type: 'bulk', payload: 2, runAt: '9999-01-01T00:00:00Z' },
    ];
    const file = `${place.path}/jobs.ndjson`;
    await writeFile(file, `${lines.map((line) => JSON.stringify(line)).join('\n\n')}\n`);
    const { code, out, err } = await jobs('enqueue', '--file', file);
    expect(out).toBe('1 enqueued, 0 there already, 1 refused\n');
    expect(err).toContain('line 3: ');
    expect(code).toBe(1);
  });
});

describe('dead letters', () => {
  it('are grouped, shown, replayed with another payload, and purged with a reason', async () => {
    const first = await enqueued('dying', '{"to":"nobody"}');
    const second = await enqueued('dying', '{"to":"no one"}');
    await killAll('dying', 2);
    const groups = await json('dlq', 'groups', '--type', 'dying');
    expect(groups).toMatchObject([{ count: 2, errorType: 'FatalError', message: 'mailbox full' }]);
    expect((await jobs('dlq', 'list', '--type', 'dying')).out).toContain('FatalError: mailbox full');
    expect((await jobs('dlq', 'show', first)).out).toMatch(/^1 +worker-\S+ .*FatalError: mailbox full$/m);
    const replayed = await json(
      'dlq',
      'replay',
      first,
      '--payload',
      '{"to":"ada"}',
      '--reason',
      'address corrected',
    );
    expect(replayed).toMatchObject({ status: 'queued', payload: { to: 'ada' } });
    expect((await jobs('dlq', 'purge', second)).code).toBe(2);
    expect(await json('dlq', 'purge', second, '--reason', 'test')).toEqual({ id: second, purged: true });
    expect(await json('get', second)).toMatchObject({ status: 'purged', reason: 'test' });
  });

  it('are replayed by the dozen', async () => {
    const ids = await Promise.all(Array.from({ length: 3 }, () => enqueued('dozen', 'null')));
    await killAll('dozen', 3);
    expect(await json('dlq', 'replay', '--type', 'dozen', '--dry-run')).toMatchObject({ matched: 3 });
    const done = await jobs('dlq', 'replay', '--type', 'dozen', '--reason', 'again');
    expect(done.out).toBe('replay done: 3 of 3 changed\n');
    for (const id of ids) expect(await json('get', id)).toMatchObject({ status: 'queued' });
  });
});

describe('queues, workers and figures', () => {
  it('pauses, limits and resumes a queue', async () => {
    await enqueued('email.send', 'null', '--queue', 'slow');
    expect(await json('queues', 'pause', 'slow', '--reason', 'moving', '--until', '30m')).toEqual({
      queue: 'slow',
      paused: true,
    });
    expect((await jobs('queues', 'limit', 'slow', '5')).out).toBe('slow runs at most 5 at once\n');
    const line = await waitUntil('the list shows it', async () =>
      (await jobs('queues', 'list')).out.split('\n').find((one) => /^slow .* 5 .*moving/.test(one)),
    );
    expect(line).toMatch(/^slow +1 +0 +0 +0 /);
    await jobs('queues', 'resume', 'slow');
    await jobs('queues', 'limit', 'slow', 'none');
    await waitUntil('it is open again', async () => {
      const found: { name: string; paused: unknown; concurrencyLimit: unknown }[] = await json(
        'queues',
        'list',
      );
      const slow = found.find(({ name }) => name === 'slow');
      return slow?.paused === null && slow.concurrencyLimit === null;
    });
  });

  it('shows figures and workers', async () => {
    expect((await json('stats')).counts).toHaveProperty('queued');
    expect(await json('stats', '--by', '1m', '--from', '5m')).toMatchObject({ bucketMs: 60_000 });
    expect((await jobs('workers', 'list')).out).toMatch(/^WORKER +TOLD TO +SEEN\nworker-/);
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

  it('that differ from the events end with exit code 4', async () => {
    const id = await enqueued('tampered', 'null');
    await waitUntil('it is there', async () => (await jobs('list', '--type', 'tampered')).out.includes(id));
    await database.pool.query(`update eventzr.jobs set priority = 9 where job_id = $1`, [id]);
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
    const file = `${place.path}/events.ndjson`;
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
    expect(all.length).toBeGreaterThan(10);
    expect(all.every((line) => JSON.parse(line).event.specversion === '1.0')).toBe(true);
  });

  it('are tailed until Ctrl-C', async () => {
    const run = startCli(['events', 'tail', '--after', '0', '--json'], { env });
    const first = await waitUntil('an event has come', () => /^.+(?=\n)/.exec(run.out())?.[0]);
    expect(JSON.parse(first)).toMatchObject({ event: { type: 'eventzr.jobs.enqueued.v1' } });
    run.process.kill('SIGINT');
    expect(await run.result).toMatchObject({ code: 0, err: '' });
  });

  it('do not mind a reader that goes away', async () => {
    const run = startCli(['events', 'tail', '--after', '0'], { env });
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
    const as = { ...env, JOBS_API_KEY: made.token };
    expect((await runCli(['list', '--json'], { env: as })).out).toContain('"data": []');
    const refused = await runCli(['enqueue', 'email.send'], { env: as });
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('the role of this key') });
    expect((await jobs('keys', 'list')).out).toMatch(
      new RegExp(`^${made.keyId} +board +other +viewer +until `, 'm'),
    );
    expect((await jobs('keys', 'list', '--json')).out).not.toContain(made.token);
    expect((await jobs('keys', 'revoke', made.token)).code).toBe(0);
    expect((await jobs('keys', 'revoke', made.keyId)).code).toBe(1);
    await waitUntil('it is refused', async () =>
      (await runCli(['list'], { env: as })).err.includes('JOBS_API_KEY'),
    );
  });
});

describe('doctor', () => {
  it('finds nothing wrong with a sound installation', async () => {
    const { out } = await jobs('doctor', '--json');
    const found: { name: string; status: string; detail: string }[] = JSON.parse(out);
    // A database for tests may be one that does not care for power cuts.
    const wrong = found.filter(({ status, detail }) => status !== 'ok' && !detail.includes('fsync'));
    expect(wrong).toEqual([]);
    expect(found.at(-1)?.detail).toMatch(/^\d+ follow the events$/);
  });

  it('says what to do about what is wrong', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const broken = { JOBS_URL: url, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', LOG_LEVEL: 'loud' };
    const { code, out } = await runCli(['doctor', '--json'], { env: broken });
    expect(code).toBe(1);
    const found: { name: string; status: string; fix?: string }[] = JSON.parse(out);
    const fixes = found.filter(({ status }) => status === 'failed' || status === 'warning');
    expect(fixes.map(({ name }) => name)).toEqual(['settings', 'service', 'database']);
    expect(fixes.every(({ fix }) => fix !== undefined)).toBe(true);
  });
});

describe('exit codes', () => {
  it.each([
    ['1 when the service refuses', 1, ['get', '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f']],
    ['2 for an unknown command', 2, ['enqeue', 'email.send']],
    ['2 for an unknown option', 2, ['list', '--colour']],
    ['2 for a missing argument', 2, ['get']],
    ['2 for a payload that is no JSON', 2, ['enqueue', 'email.send', '{to:ada}']],
    ['2 for a time that is none', 2, ['enqueue', 'email.send', '--run-at', 'soon']],
    ['2 for options that exclude each other', 2, ['get', 'x', '--events', '--revision', '1']],
    ['3 when the service is not there', 3, ['list', '--url', 'http://127.0.0.1:1']],
    ['2 for an address that is none', 2, ['list', '--url', 'localhost:4000']],
  ])('%s', async (_, expected, args) => {
    const { code, out, err } = await jobs(...args);
    expect({ code, out }).toEqual({ code: expected, out: '' });
    expect(err).not.toMatch(/^ +at /m);
  });

  it('come with a problem that programs can read', async () => {
    const { err } = await jobs('get', '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f', '--json');
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'job-not-found' } });
  });

  it('2 without a key, and the way to one', async () => {
    const { code, err } = await runCli(['list'], { env: { JOBS_URL: 'http://example.com' } });
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('keys create --tenant') });
  });
});

describe('the program', () => {
  it('is found by npx and by npm, whatever Node.js the machine has', async () => {
    const run = promisify(execFile);
    const cwd = new URL('../..', import.meta.url).pathname;
    const settings = { cwd, env: { ...process.env, ...env } };
    const { stdout } = await run('npm', ['run', '--silent', 'jobs', '--', '--version'], settings);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout: again } = await run('npx', ['eventzr-jobs', '--version'], settings);
    expect(again).toBe(stdout);
  });
});
