import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { applyBatch } from '../../src/projections/apply-batch.ts';
import { CheckpointLostError } from '../../src/projections/checkpoint.ts';
import { Freshness } from '../../src/projections/freshness.ts';
import { liveGeneration } from '../../src/projections/generations.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { runProjections } from '../../src/projections/runner.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { running } from '../support/running.ts';
import { appendAmounts, environmentOf, tallyProjection } from '../support/tally.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
  await database.pool.query('create table noted (events int not null check (events < 100))');
});

afterAll(() => database[Symbol.asyncDispose]());

const noted: Projection = tallyProjection({
  statement: (events) => ({
    name: 'note',
    text: 'select note($1)',
    values: [events.length],
  }),
});

describe('a projection that makes its change in one statement', () => {
  it('moves its checkpoint with the change, or makes neither', async () => {
    await database.pool.query(
      'create function note(n int) returns void language sql as $$ insert into noted values (n) $$',
    );
    const log = createMemoryEventLog();
    const environment = environmentOf(database.pool, log);
    const freshness = new Freshness({ environment, projections: [noted] });
    const advanced = (name: string, to: bigint) => freshness.advanced(name, to);
    const position = await appendAmounts(log, 'a', [1, 2]);
    {
      await using _runner = running((signal) =>
        runProjections({ environment, projections: [noted], advanced }, signal),
      );
      await freshness.waitFor('tally', position, 60_000);
    }
    expect(await rows()).toEqual([{ events: 2 }]);

    const generation = await liveGeneration(database.pool, 'tally');
    if (!generation) throw new Error('not live');
    const before = await checkpoint();
    const { signal } = new AbortController();
    const page = await log.readLog(0n, 10);
    const events = page.events.flatMap((event) => environment.decode(event) ?? []);
    const batch = { eventsPerSecond: 0, events, signal, to: position + 1n, fence: BigInt(before.fence) };
    const apply = (from: bigint, change: Projection) =>
      applyBatch(environment, change, generation, { ...batch, from });
    await expect(apply(position + 7n, noted)).rejects.toThrow(CheckpointLostError);
    const refused = {
      ...noted,
      statement: () => ({ name: 'too_many', text: 'select note($1)', values: [100] }),
    };
    await expect(apply(position, refused)).rejects.toThrow('noted_events_check');
    expect(await rows()).toEqual([{ events: 2 }]);
    expect(await checkpoint()).toEqual(before);

    await apply(position, noted);
    expect(await rows()).toEqual([{ events: 2 }, { events: 2 }]);
    expect((await checkpoint()).position).toBe(`${position + 1n}`);
  });
});

const rows = async () => (await database.pool.query('select events from noted')).rows;

async function checkpoint(): Promise<{ position: string; fence: string }> {
  const { rows: found } = await database.pool.query(
    "select position, fence from projection_checkpoints where projection = 'tally'",
  );
  return found[0];
}
