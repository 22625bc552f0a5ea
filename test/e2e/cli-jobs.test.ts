import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FatalError, JobsWorker } from '../../src/sdk/index.ts';
import { runCli } from '../support/cli.ts';
import { type CliService, cliService } from '../support/cli-service.ts';
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

/** Has a worker make dead letters of everything of a type. */
async function killAll(type: string, count: number): Promise<void> {
  const handlers = {
    [type]: () => {
      throw new FatalError('mailbox full');
    },
  };
  await using _ = new JobsWorker({
    connection: { url: service.url, apiKey: service.key },
    handlers,
  }).start();
  await waitUntil(
    'they are dead',
    async () => (await service.client.deadLetters.list({ type })).data.length === count,
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
    await waitUntil(
      'the list has it',
      async () => (await service.client.list({ queue: 'mail' })).data.length === 1,
    );
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
    await writeFile(`${service.folder}/payload.json`, '{"from":"file"}');
    const fromFile = await enqueued('payloads', '--payload-file', 'payload.json');
    expect((await json('get', fromFile)).payload).toEqual({ from: 'file' });
    const piped = await runCli(['enqueue', 'payloads', '--payload-file', '-', '--json'], {
      env: service.env,
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
    const file = `${service.folder}/jobs.ndjson`;
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
    await waitUntil('its attempt is listed', async () => {
      const [attempt] = await service.client.attempts(first);
      return attempt?.outcome === 'failed';
    });
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
