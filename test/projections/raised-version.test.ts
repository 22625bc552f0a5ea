import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import type { EventLog } from '../../src/commands/ports.ts';
import { liveGeneration } from '../../src/projections/generations.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { projecting } from '../support/projecting.ts';
import { appendAmounts, readTallies, tallyProjection } from '../support/tally.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let log: EventLog;

beforeEach(async () => {
  database = await createDatabase();
  log = createMemoryEventLog();
});

afterEach(() => database[Symbol.asyncDispose]());

const start = (of: Projection) => projecting(database, log, of);

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
