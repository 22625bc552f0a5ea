import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import type { EventLog, Position } from '../../src/commands/ports.ts';
import { applyBatch } from '../../src/projections/apply-batch.ts';
import { CheckpointLostError } from '../../src/projections/checkpoint.ts';
import { liveGeneration } from '../../src/projections/generations.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { verify } from '../../src/projections/verify.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { runningProjections } from '../support/running-projections.ts';
import { amountOf, appendAmounts, environmentOf, readTallies, tallyProjection } from '../support/tally.ts';
import { waitUntil } from '../support/wait-until.ts';

/** What is not shown by then is not shown at all; a busy machine may take seconds. */
const IN_TIME = 60_000;

let database: TestDatabase;
let log: EventLog;

beforeEach(async () => {
  await database?.[Symbol.asyncDispose]();
  database = await createDatabase();
  log = createMemoryEventLog();
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

const start = (projections: readonly Projection[], holder?: string) =>
  runningProjections(database.pool, log, projections, holder);

async function differences(projection: Projection) {
  const signal = new AbortController().signal;
  return (await verify({ environment: environmentOf(database.pool, log, 'verifier'), projection, signal }))
    .tables;
}

/** No checkpoint can be moved, as when the disk is full. */
const TROUBLE = `
create function trouble() returns trigger language plpgsql as $$
begin
  raise disk_full;
end
$$;
create trigger trouble before update of position on projection_checkpoints for each row execute function trouble()`;

const NO_DIFFERENCES = { table: 'tallies', missing: 0, unexpected: 0, different: 0, samples: [] };

describe('a running projection', () => {
  it('shows what was in the log before it started and what is appended later', async () => {
    await appendAmounts(log, 'a', [1, 2]);
    const projection = tallyProjection();
    await using runner = start([projection]);
    const position = await appendAmounts(log, 'b', [3]);
    expect(await runner.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
    expect(await readTallies(database.pool)).toMatchObject([
      { job_id: 'a', events: 2, amount: 3, revision: 1 },
      { job_id: 'b', events: 1, amount: 3, revision: 0 },
    ]);
  });

  it('goes on after its checkpoint when it starts again', async () => {
    const projection = tallyProjection();
    {
      await using first = start([projection]);
      await first.freshness.waitFor('tally', await appendAmounts(log, 'a', [1]), IN_TIME);
    }
    const position = await appendAmounts(log, 'a', [2]);
    await using second = start([projection], 'two');
    expect(await second.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
    expect(await readTallies(database.pool)).toMatchObject([{ job_id: 'a', events: 2, amount: 3 }]);
    expect(await differences(projection)).toMatchObject([{ ...NO_DIFFERENCES, rows: 1 }]);
  });

  it('reads the log once with others that are about as far behind', async () => {
    const projections = ['one', 'two', 'three'].map((name) => ({
      ...tallyProjection({ apply: async () => undefined }),
      name,
      tables: [] as never[],
    }));
    const read = async (holder: string, upTo: Position) => {
      await using runner = start(projections, holder);
      for (const { name } of projections) await runner.freshness.waitFor(name, upTo, IN_TIME);
    };
    await read('before', await appendAmounts(log, 'a', [1]));
    const amounts = Array.from({ length: 30_000 }, (_, amount) => amount);
    const head = await appendAmounts(log, 'a', amounts);
    const pages = vi.spyOn(log, 'readLog');
    await read('after', head);
    // 15 pages of 2,000; three times as many when each reads for itself.
    expect(pages.mock.calls.length).toBeLessThan(25);
  });

  it('keeps its position up to date when nothing in the log concerns it', async () => {
    const projection = tallyProjection({ prefixes: ['queue-'] });
    const other = { ...tallyProjection(), name: 'other', tables: [] as never[], async apply() {} };
    await using runner = start([projection, other]);
    const position = await appendAmounts(log, 'a', [1]);
    await waitUntil('the position is written down', async () => {
      const state = await runner.freshness.freshness();
      return state.find(({ name }) => name === 'tally')?.position === position;
    });
  });

  it('skips event types it does not know', async () => {
    const projection = tallyProjection();
    await using runner = start([projection]);
    await appendAmounts(log, 'a', [1], { type: 'Unknown' });
    const position = await appendAmounts(log, 'b', [5]);
    expect(await runner.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
    expect(await readTallies(database.pool)).toMatchObject([{ job_id: 'b', amount: 5 }]);
  });
});

it('asks before each batch how many events it may hold', async () => {
  const sizes: number[] = [];
  const tally = tallyProjection();
  const projection: Projection = {
    ...tally,
    get mostEvents() {
      return sizes.length === 0 ? 3 : 2;
    },
    async apply(events, write) {
      sizes.push(events.length);
      await tally.apply(events, write);
    },
  };
  const position = await appendAmounts(log, 'a', [1, 2, 3, 4, 5, 6, 7]);
  await using runner = start([projection]);
  expect(await runner.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
  expect(sizes).toEqual([3, 2, 2]);
});

describe('a projection that fails', () => {
  it('is faulted at the event that breaks it, while the others go on', async () => {
    const broken: Projection = {
      ...tallyProjection(),
      name: 'broken',
      tables: [],
      async apply(events) {
        if (events.some((event) => amountOf(event) === 13)) throw new Error('thirteen');
      },
    };
    const projection = tallyProjection();
    await using runner = start([broken, projection]);
    await appendAmounts(log, 'a', [1, 2, 3]);
    await appendAmounts(log, 'b', [13]);
    const position = await appendAmounts(log, 'c', [4]);
    expect(await runner.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
    const state = await waitUntil('it is faulted', async () => {
      const all = await runner.freshness.freshness();
      return all.find(({ name, status }) => name === 'broken' && status === 'faulted');
    });
    expect(state.position).toBe(3n);
    expect(state.lastError).toMatchObject({
      message: 'job-acme.b@0: thirteen',
      faulted: true,
      event: { position: '4', stream: 'job-acme.b', revision: 0, type: 'JobStarted' },
    });
  });

  it('goes on by itself once the event can be applied', async () => {
    let broken = true;
    const sound = tallyProjection();
    const projection: Projection = {
      ...sound,
      async apply(events, write) {
        await sound.apply(events, write);
        if (broken && events.some((event) => amountOf(event) === 13)) throw new Error('thirteen');
      },
    };
    await using runner = start([projection]);
    await appendAmounts(log, 'a', [1, 13, 2]);
    const status = async () => (await runner.freshness.freshness())[0]?.status;
    await waitUntil('it is faulted', async () => (await status()) === 'faulted');
    broken = false;
    await waitUntil('it is live', async () => (await status()) === 'live');
    expect(await differences(sound)).toMatchObject([{ ...NO_DIFFERENCES, rows: 1 }]);
  });

  it('is live once another process can apply what the one before it could not', async () => {
    const sound = tallyProjection();
    const broken: Projection = {
      ...sound,
      async apply() {
        throw new Error('thirteen');
      },
    };
    await appendAmounts(log, 'a', [13]);
    {
      await using first = start([broken]);
      const status = async () => (await first.freshness.freshness())[0]?.status;
      await waitUntil('it is faulted', async () => (await status()) === 'faulted');
    }
    await using second = start([sound], 'two');
    await waitUntil('it is live', async () => {
      const [state] = await second.freshness.freshness();
      return state?.status === 'live' && state.lastError === null;
    });
  });

  it('is live again once the trouble is over, however quiet the log is then', async () => {
    const projection = tallyProjection({ prefixes: ['queue-'] });
    await using runner = start([projection]);
    const status = async () => (await runner.freshness.freshness())[0]?.status;
    await waitUntil('it is live', async () => (await status()) === 'live');
    await database.pool.query(TROUBLE);
    await appendAmounts(log, 'a', [1]);
    await waitUntil('it is retrying', async () => (await status()) === 'retrying');
    await database.pool.query('drop trigger trouble on projection_checkpoints');
    await waitUntil('it is live again', async () => (await status()) === 'live');
  });

  it('loses nothing when its connection is killed in the middle of a batch', async () => {
    const sound = tallyProjection();
    let kills = 3;
    const projection: Projection = {
      ...sound,
      async apply(events, write) {
        await sound.apply(events, write);
        if (kills-- > 0) await write.client.query('select pg_terminate_backend(pg_backend_pid())');
      },
    };
    await using runner = start([projection]);
    for (let job = 0; job < 20; job += 1) await appendAmounts(log, `job${job}`, [job, 1]);
    const position = await appendAmounts(log, 'last', [1]);
    expect(await runner.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
    expect(kills).toBeLessThan(0);
    expect(await differences(sound)).toMatchObject([{ ...NO_DIFFERENCES, rows: 21 }]);
  });
});

describe('two runners', () => {
  it('take turns: the second goes on when the first stops', async () => {
    const projection = tallyProjection();
    const first = start([projection], 'one');
    await first.freshness.waitFor('tally', await appendAmounts(log, 'a', [1]), IN_TIME);
    await using second = start([projection], 'two');
    await first[Symbol.asyncDispose]();
    const position = await appendAmounts(log, 'a', [2]);
    expect(await second.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
    expect(await readTallies(database.pool)).toMatchObject([{ events: 2, amount: 3 }]);
  });

  it('never apply an event twice: the one that was replaced rolls back', async () => {
    const projection = tallyProjection();
    await using runner = start([projection]);
    const position = await appendAmounts(log, 'a', [1]);
    await runner.freshness.waitFor('tally', position, IN_TIME);
    const generation = await liveGeneration(database.pool, 'tally');
    if (!generation) throw new Error('not live');
    const signal = new AbortController().signal;
    const stale = { to: position + 1n, eventsPerSecond: 0, events: [], signal };
    const attempts = [
      applyBatch(runner.environment, projection, generation, { ...stale, from: 0n, fence: 1n }),
      applyBatch(runner.environment, projection, generation, { ...stale, from: position, fence: 0n }),
    ];
    await Promise.all(attempts.map((attempt) => expect(attempt).rejects.toThrow(CheckpointLostError)));
  });

  it('stop when a newer version of the tables is live', async () => {
    {
      await using newer = start([tallyProjection({ version: 2 })]);
      await newer.freshness.waitFor('tally', await appendAmounts(log, 'a', [1]), IN_TIME);
    }
    const older = start([tallyProjection({ version: 1 })]);
    await expect(older.ended).rejects.toMatchObject({ code: 'projection_outdated' });
  });
});

describe('an unlogged projection', () => {
  it('fills again from the log when a crash has emptied its tables', async () => {
    const projection = tallyProjection({ unlogged: true });
    await using runner = start([projection]);
    await runner.freshness.waitFor('tally', await appendAmounts(log, 'a', [1]), IN_TIME);
    // What recovery does to unlogged tables.
    await database.pool.query('truncate tallies_v1_1, projection_checkpoints_unlogged');
    await appendAmounts(log, 'b', [2]);
    await waitUntil('both jobs are there', async () => (await readTallies(database.pool)).length === 2);
    expect(await differences(projection)).toMatchObject([{ ...NO_DIFFERENCES, rows: 2 }]);
  });

  it('starts from its seed instead of the first event', async () => {
    const position = await appendAmounts(log, 'a', [1, 2]);
    const projection = tallyProjection({
      unlogged: true,
      async seed({ client, table }) {
        await client.query(`insert into ${table('tallies')} values ('acme', 'a', 1, 2, 1000)`);
        return position;
      },
    });
    await using runner = start([projection]);
    await runner.freshness.waitFor('tally', await appendAmounts(log, 'b', [3]), IN_TIME);
    expect(await readTallies(database.pool)).toMatchObject([
      { job_id: 'a', amount: 1000 },
      { job_id: 'b', amount: 3 },
    ]);
  });
});
