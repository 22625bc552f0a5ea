import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import type { EventLog } from '../../src/commands/ports.ts';
import type { Projection } from '../../src/projections/projection.ts';
import type { RebuildRequest } from '../../src/projections/rebuild.ts';
import { verify } from '../../src/projections/verify.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { appending, projecting } from '../support/projecting.ts';
import { appendAmounts, environmentOf, tallyProjection } from '../support/tally.ts';

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
    const stop = appending(log);
    for (let round = 0; round < 5; round += 1) {
      expect((await verify(asOperator())).tables).toMatchObject([counts]);
    }
    await server.shows(await stop());
  });
});
