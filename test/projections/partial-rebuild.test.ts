import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import type { EventLog } from '../../src/commands/ports.ts';
import { readGenerations } from '../../src/projections/generations.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { type RebuildRequest, rebuild } from '../../src/projections/rebuild.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { projecting } from '../support/projecting.ts';
import { appendAmounts, environmentOf, readTallies, tallyProjection } from '../support/tally.ts';

let database: TestDatabase;
let log: EventLog;
const projection = tallyProjection();
const { signal } = new AbortController();

beforeEach(async () => {
  database = await createDatabase();
  log = createMemoryEventLog();
});

afterEach(() => database[Symbol.asyncDispose]());

const start = (of: Projection = projection) => projecting(database, log, of);

/** As the command line does it: another process, while a server leads. */
const asOperator = (request: Partial<RebuildRequest> = {}) => ({
  environment: environmentOf(database.pool, log, 'operator'),
  projection,
  signal,
  ...request,
});

describe('partial rebuild', () => {
  it('replaces the rows of one tenant only', async () => {
    await appendAmounts(log, 'a', [1], { tenant: 'acme' });
    await appendAmounts(log, 'b', [2], { tenant: 'acme' });
    await appendAmounts(log, 'c', [3], { tenant: 'other' });
    await using server = start();
    await server.shows(3n);
    await database.pool.query(`update tallies set amount = 99 where job_id in ('a', 'c')`);
    await database.pool.query(`delete from tallies where job_id = 'b'`);
    const report = await rebuild(asOperator({ tenant: 'acme' }));
    expect(report).toMatchObject({ outcome: 'replaced', tables: [] });
    expect(report.comparison?.tables).toMatchObject([{ missing: 1, different: 1, unexpected: 0 }]);
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 1 }, { amount: 2 }, { amount: 99 }]);
    expect(await readGenerations(database.pool, 'tally')).toHaveLength(1);
  });

  it('keeps the tables as they were at a position beside the live ones', async () => {
    const then = await appendAmounts(log, 'a', [1]);
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [2]));
    const report = await rebuild(asOperator({ toPosition: then }));
    expect(report.outcome).toBe('frozen');
    expect(await readTallies(database.pool, report.tables[0])).toMatchObject([{ amount: 1, events: 1 }]);
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 3, events: 2 }]);
  });

  it('goes no further than the log when asked to, and reckons with its end', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    const seen: number[] = [];
    const report = await rebuild(
      asOperator({ toPosition: 999_999_999n, onProgress: ({ totalEvents }) => seen.push(totalEvents) }),
    );
    expect(report).toMatchObject({ outcome: 'frozen', events: 1, comparison: { position: 1n } });
    expect(Math.max(...seen)).toBe(1);
  });

  it('stops at a time', async () => {
    let now = 1_000;
    log = createMemoryEventLog({ clock: { now: () => now } });
    await appendAmounts(log, 'a', [1]);
    now = 2_000;
    await appendAmounts(log, 'a', [2]);
    await using server = start();
    await server.shows(2n);
    const report = await rebuild(asOperator({ toTime: 1_500 }));
    expect(await readTallies(database.pool, report.tables[0])).toMatchObject([{ amount: 1, events: 1 }]);
  });

  it('only says what would change in a dry run', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    await database.pool.query(`update tallies set amount = 99`);
    const report = await rebuild(asOperator({ dryRun: true }));
    expect(report).toMatchObject({ outcome: 'dry_run', comparison: { tables: [{ different: 1 }] } });
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 99 }]);
    expect(await readGenerations(database.pool, 'tally')).toHaveLength(1);
  });
});
