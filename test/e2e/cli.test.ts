import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCli } from '../support/cli.ts';
import { type CliService, cliService } from '../support/cli-service.ts';
import { createDatabase } from '../support/database.ts';
import { freePort } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

let service: CliService;
const jobs: CliService['jobs'] = (...args) => service.jobs(...args);

// Every command is a process of its own.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

beforeAll(async () => {
  service = await cliService();
});
afterAll(() => service?.[Symbol.asyncDispose]());

describe('doctor', () => {
  it('finds nothing wrong with a sound installation', async () => {
    await waitUntil('all read models have been taken up', async () =>
      (await service.client.projections.list()).every(({ status }) => status !== 'waiting'),
    );
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

  it.each([
    ['an unknown command', ['enqeue'], "unknown command 'enqeue'"],
    ['an unknown option', ['list', '--colour'], "unknown option '--colour'"],
    ['a missing argument', ['get'], "missing required argument 'job'"],
    ['a value that is none', ['enqueue', 't', '--priority', '99'], 'write a whole number from 1 to 9'],
    ['half a command', ['queues'], 'give a command'],
    ['no command', [], 'give a command'],
  ])('come with an error that programs can read for %s', async (_, args, message) => {
    const { code, out, err } = await jobs(...args, '--json');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(JSON.parse(err)).toEqual({ error: { code: 'usage', message: expect.stringContaining(message) } });
    expect(JSON.parse(err).error.message).not.toMatch(/^error: |\n/);
  });

  it.each([
    ['no service', 'drop schema eventzr cascade', 'is not set up yet'],
    ['an older one', 'alter table eventzr.api_keys drop column revision', 'was set up by an older version'],
  ])('1 on a database that %s has set up, and what to do', async (_, before, state) => {
    await using database = await createDatabase();
    await database.pool.query(before);
    const env = { DATABASE_URL: database.url };
    const { code, err } = await runCli(['keys', 'create', '--tenant', 'acme', '--role', 'admin'], { env });
    expect(err).toBe(`eventzr-jobs: this database ${state}; start the service on it once\n`);
    expect(code).toBe(1);
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
    const settings = { cwd, env: { ...process.env, ...service.env } };
    const { stdout } = await run('npm', ['run', '--silent', 'jobs', '--', '--version'], settings);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout: again } = await run('npx', ['eventzr-jobs', '--version'], settings);
    expect(again).toBe(stdout);
  });
});
