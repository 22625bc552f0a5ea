import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { type CliService, cliService } from '../support/cli-service.ts';
import { apiKey } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';
import { withinOneDay } from '../support/within-one-day.ts';

let service: CliService;
let tenantKey: string;
const LONGEST_MS = 240_000;

beforeAll(() => withinOneDay(LONGEST_MS), LONGEST_MS + 10_000);
beforeAll(async () => {
  service = await cliService();
  tenantKey = await apiKey(service.database.pool, ['acme']);
});
afterAll(() => service[Symbol.asyncDispose]());

const platform = (...args: string[]) =>
  runCli(args, { env: { ...service.env, JOBS_TENANT: '' }, cwd: service.folder });
const tenant = (...args: string[]) =>
  runCli(args, { env: { ...service.env, JOBS_TENANT: '', JOBS_API_KEY: tenantKey }, cwd: service.folder });

async function json(...args: string[]) {
  const { code, out, err } = await platform(...args, '--json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

describe('quota', () => {
  it(
    'is set, looked at, refused by, explained and reset',
    async () => {
      const set = await json('quota', 'set', 'acme', '--jobs-per-day', '2', '--reason', 'trial');
      expect(set).toMatchObject({ limits: { jobsPerDay: 2, runningJobs: null } });
      const more = await json('quota', 'set', 'acme', '--running-jobs', '5', '--weight', '2');
      expect(more).toMatchObject({ limits: { jobsPerDay: 2, runningJobs: 5 }, weight: 2 });
      await service.enqueued('email.send');
      await service.enqueued('email.send');
      const refused = await tenant('enqueue', 'email.send');
      expect(refused.code).toBe(1);
      expect(refused.err).toContain("the tenant's limit jobsPerDay is 2, and 2 are used; it begins anew at");
      expect((await tenant('quota', 'get')).out).toMatch(/jobsPerDay +2 of 2, anew in/);
      const why = await waitUntil('the refusal is in the ledger', async () => {
        const { out } = await tenant('quota', 'why', 'acme');
        return out.includes('refused; anew') && out;
      });
      expect(why).toContain('jobsPerDay is 2 and 2 are used: 1 refused; anew at');
      const [hour, minute] = new Date().toISOString().slice(11).split(':');
      expect((await tenant('quota', 'why', 'acme', '--at', `${hour}:${minute}`)).code).toBe(0);
      expect((await tenant('quota', 'why', 'acme', '--at', '2020-01-01T00:00:00Z')).out).toContain(
        'acme had no quota',
      );
      await json('quota', 'reset', 'acme', '--reason', 'our fault');
      await service.enqueued('email.send');
      const history = await waitUntil('the reset is in the ledger', async () => {
        const { out } = await tenant('quota', 'history', 'acme');
        return out.includes('our fault') && out;
      });
      expect(history).toContain('trial');
      expect(history).toContain('given its day back, 2 had been used; our fault');
    },
    LONGEST_MS,
  );

  it('is nothing that a tenant sets for itself', async () => {
    const { code, err } = await tenant('quota', 'set', 'acme', '--jobs-per-day', 'none');
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('a key that acts for every tenant'),
    });
    expect((await platform('quota', 'set', 'acme')).code).toBe(2);
    expect((await platform('quota', 'set', 'acme', '--plan', 'p', '--weight', '2')).code).toBe(2);
  });
});

describe('plans and tenants', () => {
  it(
    'are made, given and paused',
    async () => {
      await json('plans', 'set', 'pro', '--jobs-per-day', '1000', '--enqueues-per-second', '50');
      const changed = await json('plans', 'set', 'pro', '--weight', '3');
      expect(changed).toMatchObject({
        revision: 1,
        limits: { jobsPerDay: 1000, enqueuesPerSecond: 50 },
        weight: 3,
      });
      expect((await platform('plans', 'show', 'pro')).out).toMatch(/rate +50\/s, 50 at once/);
      expect((await platform('plans', 'list')).out).toMatch(/pro +1,000 +no limit/);
      await json('quota', 'set', 'globex', '--plan', 'pro');
      const paused = await platform('tenants', 'pause', 'globex', '--mode', 'all', '--reason', 'unpaid');
      expect(paused.out).toContain('globex takes and starts no jobs: unpaid');
      await waitUntil('the list shows it', async () => {
        const { out } = await platform('tenants', 'list', '--suspended');
        return /globex +pro .*unpaid/.test(out);
      });
      expect((await platform('plans', 'delete', 'pro')).err).toContain('Tenants are on the plan');
      expect((await platform('tenants', 'resume', 'globex', '--reason', 'paid')).out).toContain('goes on');
      expect((await platform('tenants', 'show', 'globex')).out).toMatch(/plan +pro/);
      await json('quota', 'clear', 'globex');
      await waitUntil(
        'nobody is on the plan',
        async () => (await platform('plans', 'delete', 'pro')).code === 0,
      );
    },
    LONGEST_MS,
  );
});
