import { readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { fateOf } from '../../examples/webhooks/fate.ts';
import { memberText } from '../../examples/webhooks/member-text.ts';
import { TENANTS } from '../../examples/webhooks/webhook-job.ts';
import type { QuotaHistoryEntry } from '../../src/adapters/http/contract/quotas.ts';
import { JobsClient } from '../../src/sdk/index.ts';
import { runCli } from '../support/cli.ts';
import { type Program, startProgram } from '../support/program.ts';
import { freePort, startServer } from '../support/running-service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';
import { withinOneDay } from '../support/within-one-day.ts';

const EXAMPLE = new URL('../../examples/webhooks/', import.meta.url).pathname;
const LONG = { timeoutMs: 240_000, everyMs: 200 };
/** Of the plan starter. */
const A_DAY = 100;
const LONGEST_MS = 480_000;

beforeAll(() => withinOneDay(LONGEST_MS), LONGEST_MS + 10_000);

describe('the webhooks example with plans', () => {
  it(
    'refuses the one that floods, holds the one that is paused, and lets the third notice nothing',
    async () => {
      await using place = await tempFolder();
      const { file, lines } = await share(place.path);
      const service = {
        DATA_DIR: `${place.path}/data`,
        PORT: String(await freePort()),
        PLANS_FILE: `${EXAMPLE}plans.json`,
      };
      await using server = await startServer(service);
      const client = new JobsClient({ url: server.url, apiKey: server.devKey ?? '' });
      const jobs = async (...args: string[]): Promise<string> => {
        const { code, out, err } = await runCli(args, { env: { ...service, JOBS_URL: server.url } });
        expect(code, err).toBe(0);
        return out.trim();
      };
      // biome-ignore lint/suspicious/noExplicitAny: documents of every shape
      const json = async (...args: string[]): Promise<any> => JSON.parse(await jobs(...args, '--json'));
      await waitUntil('the plans are there', async () => (await json('plans', 'list')).length === 3, LONG);
      await jobs('quota', 'set', 'north', '--plan', 'starter', '--reason', 'trial');
      await jobs('quota', 'set', 'south', '--plan', 'team');
      await jobs('quota', 'set', 'west', '--plan', 'business');

      const receiverPort = String(await freePort());
      const tenants = TENANTS.flatMap((tenant) => ['--tenant', tenant]);
      const env = {
        JOBS_URL: server.url,
        JOBS_API_KEY: await jobs('keys', 'create', ...tenants, '--role', 'operator'),
        PORT: receiverPort,
        WEBHOOK_URL: `http://127.0.0.1:${receiverPort}/`,
      };
      const received = `${place.path}/received`;
      await using receiver = startProgram('examples/webhooks/receiver.ts', [received], env);
      await waitUntil('the receiver is up', () => receiver.output().includes('receiving'));
      await using _worker = startProgram('examples/webhooks/deliver.ts', [], env);
      const send = (tenant: string, times: number, paceMs = 0): Program =>
        startProgram('examples/webhooks/send.ts', [tenant, file, String(times)], {
          ...env,
          PACE_MS: String(paceMs),
        });
      const done = (tenant: string, count: number) =>
        waitUntil(
          `${count} jobs of ${tenant} have ended`,
          async () => {
            const { usage } = await client.tenants.quota(tenant);
            return usage.jobsPerDay === count && usage.unfinishedJobs === 0;
          },
          LONG,
        );

      // South is paused before half of it is sent; what is not yet delivered waits, too.
      await using south = send('south', 4, 200);
      await waitUntil('south has sent something', async () => {
        return (await client.tenants.quota('south')).usage.jobsPerDay > 0;
      });
      await client.tenants.pause('south', { mode: 'all', reason: 'invoice 2026-11 is unpaid' });
      await waitUntil(
        'south is told',
        () => south.output().includes('paused: invoice 2026-11 is unpaid'),
        LONG,
      );
      const pausedAt = new Date().toISOString();

      const times = Math.ceil((A_DAY * 3) / lines.length);
      await using north = send('north', times);
      await using west = send('west', 1);
      expect(await west.ended, west.output()).toBe(0);
      expect(west.output().trim()).toBe(`west: ${lines.length} webhooks`);
      await done('west', lines.length);
      expect(await north.ended, north.output()).toBe(0);
      const floodedAt = new Date().toISOString();
      expect(north.output()).toContain(`north: ${A_DAY} webhooks\n`);
      expect(north.output()).toContain(
        `north: ${lines.length * times - A_DAY} refused: jobsPerDay is ${A_DAY}\n`,
      );
      await done('north', A_DAY);
      expect(south.process.exitCode).toBeNull();

      await jobs('tenants', 'resume', 'south', '--reason', 'paid');
      expect(await south.ended, south.output()).toBe(0);
      expect(south.output()).toContain(`south: ${lines.length * 4} webhooks\n`);
      await done('south', lines.length * 4);

      expect(await jobs('quota', 'why', 'north', '--at', floodedAt)).toContain(
        `jobsPerDay is ${A_DAY} and ${A_DAY} are used`,
      );
      expect(await jobs('quota', 'why', 'south', '--at', pausedAt)).toContain('invoice 2026-11 is unpaid');
      const ledger = async (tenant: string): Promise<readonly QuotaHistoryEntry[]> =>
        (await json('quota', 'history', tenant)).data;
      const kinds = (entries: readonly QuotaHistoryEntry[]) =>
        new Set(entries.map(({ change }) => change.kind));
      expect(kinds(await ledger('north'))).toContain('exceeded');
      const ofSouth = await ledger('south');
      expect(kinds(ofSouth)).toEqual(new Set(['initialized', 'usage', 'suspended', 'resumed']));
      expect(ofSouth.find(({ change }) => change.kind === 'suspended')?.actor).not.toBe('');
      expect(kinds(await ledger('west'))).toEqual(new Set(['initialized', 'usage']));
      const bodies = lines.map((line) => memberText(line, 'payload') ?? '');
      await arrivedWhole(received, bodies);
    },
    LONGEST_MS,
  );
});

/** The samples, or a share of the file that WEBHOOKS_FILE names. */
async function share(folder: string): Promise<{ readonly file: string; readonly lines: readonly string[] }> {
  const { WEBHOOKS_FILE } = process.env;
  const text = await readFile(WEBHOOKS_FILE ?? `${EXAMPLE}samples.jsonl`, 'utf8');
  const small = text
    .trimEnd()
    .split('\n')
    .filter((line) => line.length < 25_000)
    .slice(0, 70);
  const lines = WEBHOOKS_FILE === undefined ? Array.from({ length: 10 }, () => small).flat() : small;
  const file = `${folder}/webhooks.jsonl`;
  await writeFile(file, `${lines.join('\n')}\n`);
  return { file, lines };
}

/** Every file of the receiver is one of the bodies, and every body that was not refused for ever is there. */
async function arrivedWhole(folder: string, bodies: readonly string[]): Promise<void> {
  const arrived = new Set<string>();
  for (const name of await readdir(folder)) arrived.add(await readFile(`${folder}/${name}`, 'utf8'));
  expect([...arrived].filter((body) => !bodies.includes(body))).toEqual([]);
  expect(bodies.filter((body) => fateOf(body) !== 'refused' && !arrived.has(body))).toEqual([]);
}
