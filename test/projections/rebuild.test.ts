import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import type { EventLog, Position } from '../../src/commands/ports.ts';
import { startGeneration } from '../../src/projections/build-generation.ts';
import { Freshness } from '../../src/projections/freshness.ts';
import { liveGeneration, readGenerations } from '../../src/projections/generations.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { type RebuildRequest, rebuild } from '../../src/projections/rebuild.ts';
import type { RebuildProgress } from '../../src/projections/rebuild-progress.ts';
import { rollback } from '../../src/projections/rollback.ts';
import { runProjections } from '../../src/projections/runner.ts';
import { verify } from '../../src/projections/verify.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { running } from '../support/running.ts';
import { appendAmounts, environmentOf, readTallies, tallyProjection } from '../support/tally.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let log: EventLog;
const projection = tallyProjection();
const { signal } = new AbortController();

beforeEach(async () => {
  await database?.[Symbol.asyncDispose]();
  database = await createDatabase();
  log = createMemoryEventLog();
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

function start(of: Projection = projection) {
  const environment = environmentOf(database.pool, log, 'server');
  const freshness = new Freshness({ environment, projections: [of] });
  const advanced = (name: string, position: Position) => freshness.advanced(name, position);
  const runner = running((stop) => runProjections({ environment, projections: [of], advanced }, stop));
  const shows = async (position: Position) => {
    if (!(await freshness.waitFor('tally', position, 10_000))) throw new Error(`${position} is not shown`);
  };
  return { ...runner, freshness, shows };
}

/** As the command line does it: another process, while a server leads. */
const asOperator = (request: Partial<RebuildRequest> = {}) => ({
  environment: environmentOf(database.pool, log, 'operator'),
  projection,
  signal,
  ...request,
});

/** Appends without pause until stopped; answers the last position. */
function appending() {
  const stop = new AbortController();
  const ended = (async () => {
    let position = 0n;
    for (let turn = 0; !stop.signal.aborted; turn += 1) {
      position = await appendAmounts(log, `live${turn % 50}`, [turn, 1]);
      await new Promise(setImmediate);
    }
    return position;
  })();
  return () => {
    stop.abort();
    return ended;
  };
}

const counts = { missing: 0, unexpected: 0, different: 0 };
const indexesOf = async (table: string) =>
  (await database.pool.query(`select indexname from pg_indexes where tablename = $1`, [table])).rows;

describe('rebuild', () => {
  it('swaps in equal tables while events are appended and a server applies them', async () => {
    for (let job = 0; job < 200; job += 1) await appendAmounts(log, `job${job}`, [job, 2, 3]);
    await using server = start();
    await server.shows(600n);
    const stop = appending();
    const phases = new Set<string>();
    const report = await rebuild(asOperator({ onProgress: ({ phase }) => phases.add(phase) }));
    const last = await stop();
    await server.shows(last);
    expect(report).toMatchObject({ outcome: 'swapped', tables: ['tallies_v1_2'] });
    expect(report.comparison?.tables).toMatchObject([counts]);
    expect([...phases]).toEqual(['replaying', 'indexing', 'comparing', 'catching_up', 'swapping']);
    expect((await readGenerations(database.pool, 'tally')).map(({ status }) => status)).toEqual([
      'live',
      'retired',
    ]);
    expect(await indexesOf('tallies_v1_2')).toHaveLength(2);
    expect((await verify(asOperator())).tables).toMatchObject([counts]);
  });

  it('puts a corrupted row right, and says that it did', async () => {
    await appendAmounts(log, 'a', [1]);
    await appendAmounts(log, 'b', [2]);
    await using server = start();
    await server.shows(2n);
    await database.pool.query(`update tallies set amount = 99 where job_id = 'a'`);
    const report = await rebuild(asOperator());
    expect(report.comparison?.tables).toMatchObject([
      { rows: 2, different: 1, samples: [{ key: '(acme,a)', live: { amount: 99 }, folded: { amount: 1 } }] },
    ]);
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 1 }, { amount: 2 }]);
  });

  it('works without a server and leaves the checkpoint to the next one', async () => {
    {
      await using server = start();
      await server.shows(await appendAmounts(log, 'a', [1]));
    }
    await appendAmounts(log, 'a', [2]);
    await rebuild(asOperator());
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 3 }]);
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [4]));
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 7, events: 3 }]);
  });

  it('tells progress that ends with everything done', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1, 2, 3]));
    const seen: RebuildProgress[] = [];
    const report = await rebuild(asOperator({ onProgress: (progress) => seen.push(progress) }));
    expect(report.events).toBe(3);
    expect(seen.at(-1)).toMatchObject({
      phase: 'swapping',
      events: 3,
      totalEvents: 3,
      done: 1,
      position: 3n,
    });
  });

  it('drops what a killed rebuild left behind', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    await startGeneration(environmentOf(database.pool, log), projection, 'building', 1n);
    await rebuild(asOperator());
    expect((await readGenerations(database.pool, 'tally')).map(({ status }) => status)).toEqual([
      'live',
      'retired',
    ]);
  });

  it('leaves the live tables alone when it fails or is aborted', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    await appendAmounts(log, 'b', [1], { type: 'Unknown' });
    await server.shows(await appendAmounts(log, 'c', [1]));
    await expect(rebuild(asOperator())).rejects.toMatchObject({ code: 'unknown_event' });
    await expect(rebuild(asOperator({ signal: AbortSignal.abort() }))).rejects.toThrow(/abort/);
    expect(await readGenerations(database.pool, 'tally')).toMatchObject([{ generation: 1, status: 'live' }]);
  });

  it('keeps only the last tables for rollback', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    for (let round = 0; round < 3; round += 1) await rebuild(asOperator());
    expect((await readGenerations(database.pool, 'tally')).map(({ status }) => status)).toEqual([
      'live',
      'retired',
    ]);
  });

  it('can be rolled back to the tables before, brought up to date', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    await rebuild(asOperator());
    await server.shows(await appendAmounts(log, 'a', [2]));
    await rollback(asOperator());
    expect(await liveGeneration(database.pool, 'tally')).toMatchObject({ generation: 1 });
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 3 }]);
    await server.shows(await appendAmounts(log, 'a', [4]));
    expect((await verify(asOperator())).tables).toMatchObject([counts]);
  });

  it('has nothing to roll back to before the first rebuild', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    await expect(rollback(asOperator())).rejects.toMatchObject({ code: 'nothing_to_roll_back' });
  });

  it('lets a projection that others write to repair itself instead', async () => {
    const repaired = tallyProjection({
      async repair({ client, table }) {
        await client.query(`update ${table('tallies')} set amount = events`);
      },
    });
    await using server = start(repaired);
    await server.shows(await appendAmounts(log, 'a', [5, 5]));
    expect(await rebuild(asOperator({ projection: repaired }))).toMatchObject({ outcome: 'repaired' });
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 2 }]);
    await expect(verify(asOperator({ projection: repaired }))).rejects.toMatchObject({
      code: 'not_comparable',
    });
    await expect(rebuild(asOperator({ projection: repaired, dryRun: true }))).rejects.toThrow(/as a whole/);
  });
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

describe('verify', () => {
  it('finds rows that are missing, wrong or should not be there', async () => {
    for (let job = 0; job < 100; job += 1) await appendAmounts(log, `job${job}`, [job]);
    await using server = start();
    await server.shows(100n);
    await database.pool.query(`update tallies set amount = -1 where job_id = 'job7'`);
    await database.pool.query(`delete from tallies where job_id in ('job8', 'job9')`);
    await database.pool.query(`insert into tallies values ('acme', 'ghost', 0, 1, 1)`);
    const { tables, position } = await verify(asOperator({ sampleLimit: 3 } as Partial<RebuildRequest>));
    expect(position).toBe(100n);
    expect(tables).toMatchObject([{ table: 'tallies', rows: 99, missing: 2, different: 1, unexpected: 1 }]);
    expect(tables[0]?.samples).toMatchObject([
      { key: '(acme,ghost)', folded: null },
      { key: '(acme,job7)', live: { amount: -1 }, folded: { amount: 7 } },
      { key: '(acme,job8)', live: null },
    ]);
  });

  it('finds no differences, exactly, while events are applied', async () => {
    await using server = start();
    await server.shows(await appendAmounts(log, 'a', [1]));
    const stop = appending();
    for (let round = 0; round < 5; round += 1) {
      expect((await verify(asOperator())).tables).toMatchObject([counts]);
    }
    await server.shows(await stop());
  });
});

describe('a raised version', () => {
  it('is built beside the live tables, which are shown until it has caught up', async () => {
    {
      await using old = start(tallyProjection({ version: 1 }));
      await old.shows(await appendAmounts(log, 'a', [1]));
    }
    const sound = tallyProjection({ version: 2 });
    const gate = Promise.withResolvers<void>();
    const slow: Projection = {
      ...sound,
      async apply(events, write) {
        await gate.promise;
        await sound.apply(events, write);
      },
    };
    const position = await appendAmounts(log, 'a', [2]);
    await using server = start(slow);
    await waitUntil('the new version is being built', async () => {
      const [state] = await server.freshness.freshness();
      return state?.building?.version === 2;
    });
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 1 }]);
    gate.resolve();
    await server.shows(position);
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 3 }]);
    expect(await liveGeneration(database.pool, 'tally')).toMatchObject({ version: 2 });
    await server.shows(await appendAmounts(log, 'a', [4]));
    expect(await readTallies(database.pool)).toMatchObject([{ amount: 7, events: 3 }]);
  });

  it('of tables that others own and write is a repair in place', async () => {
    const versions: number[] = [];
    const repairing = (version: number): Projection => ({
      ...tallyProjection({ version }),
      tables: [],
      async apply() {},
      async repair() {
        versions.push(version);
      },
    });
    {
      await using old = start(repairing(1));
      await old.shows(await appendAmounts(log, 'a', [1]));
    }
    await using server = start(repairing(2));
    await server.shows(await appendAmounts(log, 'a', [2]));
    expect(versions).toEqual([2]);
    expect(await liveGeneration(database.pool, 'tally')).toMatchObject({ generation: 1, version: 2 });
  });
});
