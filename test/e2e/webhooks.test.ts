import { readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fateOf } from '../../examples/webhooks/fate.ts';
import { memberText } from '../../examples/webhooks/member-text.ts';
import { TENANTS } from '../../examples/webhooks/webhook-job.ts';
import { JobsClient } from '../../src/sdk/index.ts';
import { runCli } from '../support/cli.ts';
import { type Program, startProgram } from '../support/program.ts';
import { freePort, startServer } from '../support/running-service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

const SAMPLES = new URL('../../examples/webhooks/samples.jsonl', import.meta.url);
const COPIES = 45;

describe('the webhooks example', () => {
  it('delivers every webhook byte for byte, whatever is killed, and keeps the hopeless ones with their reason', async () => {
    await using place = await tempFolder();
    const file = `${place.path}/webhooks.jsonl`;
    const received = `${place.path}/received`;
    const lines = await webhookLines();
    await writeFile(file, `${lines.join('\n')}\n`);
    const service = { DATA_DIR: `${place.path}/data`, PORT: String(await freePort()) };
    let server = await startServer(service);
    const env = await exampleSettings(server.url, service);
    await using receiver = startProgram('examples/webhooks/receiver.ts', [received], env);
    const deliver = (): Program => startProgram('examples/webhooks/deliver.ts', [], env);
    let first = deliver();
    const second = deliver();
    const arrived = async (): Promise<number> => (await readdir(received)).length;
    try {
      await waitUntil('the receiver is up', () => receiver.output().includes('receiving'));
      const enqueueing = startProgram('examples/webhooks/enqueue.ts', [file, 'run-1'], env);
      await waitUntil('a third has arrived', async () => (await arrived()) >= lines.length * 0.3, LONG);
      await server.end('SIGKILL');
      await first.kill();
      server = await startServer(service);
      first = deliver();
      expect(await enqueueing.ended, enqueueing.output()).toBe(0);
      await waitUntil('more has arrived', async () => (await arrived()) >= lines.length * 0.6, LONG);
      await second.kill();
      // A sender that was interrupted is simply run again.
      const again = startProgram('examples/webhooks/enqueue.ts', [file, 'run-1'], env);
      expect(await again.ended, again.output()).toBe(0);

      const bodies = lines.map((line) => memberText(line, 'payload') ?? '');
      for (const [index, tenant] of TENANTS.entries()) {
        const expected = bodies.filter((_, line) => line % TENANTS.length === index);
        const client = new JobsClient({ url: server.url, apiKey: env.JOBS_API_KEY, tenant, tries: 10 });
        await everythingEnded(client, expected.length);
        await compare(client, expected, received);
      }
      const living = bodies.filter((body) => fateOf(body) !== 'refused');
      expect(await arrived()).toBe(living.length);
      expect(living.length).toBeLessThan(bodies.length);
      // About all tenants: not for the key of three.
      expect(await runCli(['projections', 'verify'], { env: service })).toMatchObject({ code: 0 });
    } finally {
      await first.kill();
      await second.kill();
      await server.end('SIGTERM');
    }
  }, 600_000);
});

const LONG = { timeoutMs: 180_000 };

/** The samples, many times over and every time a little different; or the file that WEBHOOKS_FILE names. */
async function webhookLines(): Promise<readonly string[]> {
  const { WEBHOOKS_FILE } = process.env;
  const lines = (await readFile(WEBHOOKS_FILE ?? SAMPLES, 'utf8')).trimEnd().split('\n');
  if (WEBHOOKS_FILE !== undefined) return lines;
  const copies = Array.from({ length: COPIES }, (_, copy) =>
    lines.map((line) =>
      line.replace('"payload":{', `"payload":{"copy":${copy}${line.includes('{}}') ? '' : ','}`),
    ),
  );
  return copies.flat();
}

async function exampleSettings(url: string, service: { readonly DATA_DIR: string; readonly PORT: string }) {
  // Right after the start, on the same machine, nothing has to be set: key and database are found in the data folder.
  expect((await runCli(['projections', 'status'], { env: service })).code).toBe(0);
  const tenants = TENANTS.flatMap((tenant) => ['--tenant', tenant]);
  const made = await runCli(['keys', 'create', ...tenants, '--role', 'admin'], {
    env: service,
  });
  expect(made.err).toContain('not shown again');
  const receiverPort = String(await freePort());
  return {
    JOBS_URL: url,
    JOBS_API_KEY: made.out.trim(),
    PORT: receiverPort,
    WEBHOOK_URL: `http://127.0.0.1:${receiverPort}/`,
    LEASE_MS: '10000',
  };
}

async function everythingEnded(client: JobsClient, count: number): Promise<void> {
  await waitUntil(
    `${count} jobs have ended`,
    async () => {
      const { counts } = await client.stats();
      return (counts.completed ?? 0) + (counts.dead_lettered ?? 0) === count;
    },
    { timeoutMs: 180_000, everyMs: 200 },
  );
}

/** Holds one tenant's jobs against its lines and against the files of the receiver. */
async function compare(client: JobsClient, expected: readonly string[], folder: string): Promise<void> {
  const bodies: string[] = [];
  const wrong: string[] = [];
  for await (const { id } of client.listAll({ limit: 200 })) {
    const job = await client.get(id);
    const { body } = job.payload as { body: string };
    bodies.push(body);
    const fate = fateOf(body);
    if (job.status !== (fate === 'refused' ? 'dead_lettered' : 'completed'))
      wrong.push(`${id} is ${job.status}`);
    if (fate === 'refused') {
      if (job.lastError?.message !== 'refused with 410') wrong.push(`${id}: ${job.lastError?.message}`);
    } else if (!(await readFile(`${folder}/${id}`)).equals(Buffer.from(body))) {
      wrong.push(`${id} arrived otherwise`);
    }
  }
  expect(wrong).toEqual([]);
  expect(bodies.toSorted()).toEqual(expected.toSorted());
  const refused = expected.filter((body) => fateOf(body) === 'refused').length;
  const dead = await waitUntil('all dead letters are counted', async () => {
    const [group] = await client.deadLetters.groups();
    return group?.count === refused && group;
  });
  expect(dead).toMatchObject({ errorType: 'FatalError', message: expect.stringContaining('refused with') });
}
