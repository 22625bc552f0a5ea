import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import type { EventLog } from '../../src/commands/ports.ts';
import { startGeneration } from '../../src/projections/build-generation.ts';
import { liveGeneration, readGenerations } from '../../src/projections/generations.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { type RebuildRequest, rebuild } from '../../src/projections/rebuild.ts';
import type { RebuildProgress } from '../../src/projections/rebuild-progress.ts';
import { rollback } from '../../src/projections/rollback.ts';
import { verify } from '../../src/projections/verify.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { appending, projecting } from '../support/projecting.ts';
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

const counts = { missing: 0, unexpected: 0, different: 0 };
const indexesOf = async (table: string) =>
  (await database.pool.query(`select indexname from pg_indexes where tablename = $1`, [table])).rows;

describe('rebuild', () => {
  it('swaps in equal tables while events are appended and a server applies them', async () => {
    for (let job = 0; job < 200; job += 1) await appendAmounts(log, `job${job}`, [job, 2, 3]);
    await using server = start();
    await server.shows(600n);
    const stop = appending(log);
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
