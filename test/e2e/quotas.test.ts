import { beforeAll, expect, it } from 'vitest';
import { createQuotaAccounts } from '../../src/adapters/postgres/quota-accounts.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { fenceReservations } from '../../src/commands/fence-reservations.ts';
import { type EventLog, LOG_START } from '../../src/commands/ports.ts';
import { createQuotaHandler } from '../../src/commands/quota-handler.ts';
import { DEFAULT_TERMS, UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { createEngine } from '../../src/engine.ts';
import { allDone, verifyAll } from '../support/audit.ts';
import { caller } from '../support/caller.ts';
import { createDatabase } from '../support/database.ts';
import { logOf } from '../support/log-in-use.ts';
import { startProgram } from '../support/program.ts';
import { QuotaTruth } from '../support/quota-truth.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';
import { withinOneDay } from '../support/within-one-day.ts';

const LIMIT = 40;
const FLOOD = 'test/support/flooding-process.ts';
const LONGEST_MS = 360_000;

beforeAll(() => withinOneDay(LONGEST_MS), LONGEST_MS + 10_000);

it(
  'three processes never exceed a limit between them, and lose no slot when one is killed',
  async () => {
    await using database = await createDatabase();
    await using engine = await createEngine({
      databaseUrl: database.url,
      ...logOf(database.url),
      roles: new Set(),
    });
    const { parts } = engine;
    const terms = { ...DEFAULT_TERMS, limits: { ...UNLIMITED, unfinishedJobs: LIMIT } };
    await parts.useCases.setTerms(caller(), terms, {});
    const env = { PATH: process.env.PATH ?? '', ...testLog() };
    const programs = [0, 1, 2].map(() => startProgram(FLOOD, [database.url], env));
    await using doomed = programs[0] ?? missing();
    await using second = programs[1] ?? missing();
    await using third = programs[2] ?? missing();
    const usage = () => parts.queries.usageOf('acme');
    const used = async () => (await usage())?.usedToday ?? 0;
    const within = { timeoutMs: 120_000 };
    await waitUntil('all flood', () => programs.every(({ output }) => output().includes('flooding')), within);
    await waitUntil('jobs run', async () => (await used()) > 300, within);
    await doomed.kill();
    const before = await used();
    await waitUntil('the others go on', async () => (await used()) > before + 300, within);
    for (const program of [second, third]) program.process.kill('SIGINT');
    await waitUntil(
      'the flood ends',
      () => [second, third].every(({ output }) => output().includes('dry')),
      within,
    );
    await allDone(database.pool);
    // What the killed one had reserved and not enqueued would be free within a minute.
    await using _fence = running(
      fenceReservations({
        log: parts.log,
        jobs: parts.dispatch.handler,
        handler: createQuotaHandler(parts.log),
        accounts: createQuotaAccounts(parts.pool),
        clock: parts.clock,
        ids: parts.ids,
        afterMs: 0,
      }),
    );
    await waitUntil(
      'every slot is free',
      async () => {
        const now = await usage();
        return now?.unfinished === 0 && now.reserved === 0 && now.quota?.unfinished === 0;
      },
      within,
    );
    const truth = new QuotaTruth(parts.log);
    await truth.look();
    expect(truth.excesses).toEqual([]);
    expect([truth.unfinished, truth.outstanding, truth.carried?.unfinished, truth.folded]).toEqual([
      0,
      [],
      0,
      0,
    ]);
    const most = await mostUnfinished(parts.log);
    expect(most).toBeGreaterThan(LIMIT / 2);
    expect(most).toBeLessThanOrEqual(LIMIT);
    const { rows } = await parts.queries.quotaHistory('acme', { limit: 200 });
    expect(rows.map(({ kind }) => kind)).toContain('exceeded');
    expect(await verifyAll(database.url)).toEqual({});
  },
  LONGEST_MS,
);

function missing(): never {
  throw new Error('a program is missing');
}

/** The most jobs that were there at once and not finished, by the order of the log. */
async function mostUnfinished(log: EventLog): Promise<number> {
  let now = 0;
  let most = 0;
  for (let position = LOG_START; ; ) {
    const page = await log.readLog(position, 1_000, { prefixes: ['job-acme.'] });
    for (const stored of page.events) {
      const type = decodeEvent(stored)?.event.type;
      if (type === 'JobEnqueued') now += 1;
      if (type === 'JobCompleted' || type === 'JobDeadLettered' || type === 'JobCancelled') now -= 1;
      most = Math.max(most, now);
    }
    position = page.position;
    if (page.caughtUp) return most;
  }
}

function testLog(): Readonly<Record<string, string>> {
  const url = process.env.TEST_EVENTSTOREDB_URL;
  return url === undefined ? {} : { TEST_EVENTSTOREDB_URL: url };
}
