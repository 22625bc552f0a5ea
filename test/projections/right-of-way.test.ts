import { expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { Freshness } from '../../src/projections/freshness.ts';
import { RightOfWay } from '../../src/projections/right-of-way.ts';
import { runProjections } from '../../src/projections/runner.ts';
import { createDatabase } from '../support/database.ts';
import { running } from '../support/running.ts';
import { appendAmounts, environmentOf, tallyProjection } from '../support/tally.ts';

it('is taken while any lane that has it is behind', () => {
  const way = new RightOfWay();
  const [one, two] = [{}, {}];
  way.tell(one, true);
  way.tell(two, true);
  way.tell(one, false);
  expect(way.isTaken).toBe(true);
  way.tell(two, false);
  expect(way.isTaken).toBe(false);
});

it('does not stop the others for ever, however long a lane that has it is behind', async () => {
  await using database = await createDatabase();
  const log = createMemoryEventLog();
  const gate = Promise.withResolvers<void>();
  const urgent = {
    ...tallyProjection({ apply: () => gate.promise }),
    name: 'urgent',
    tables: [] as never[],
    urgent: true,
    mostEvents: 1,
  };
  const projections = [urgent, tallyProjection()];
  const position = await appendAmounts(log, 'a', [1, 2, 3]);
  const environment = environmentOf(database.pool, log, 'one');
  const freshness = new Freshness({ environment, projections });
  const advanced = freshness.advanced.bind(freshness);
  await using _ = running((signal) => runProjections({ environment, projections, advanced }, signal));
  const inTime = await freshness.waitFor('tally', position, 60_000);
  gate.resolve();
  expect(inTime).toBe(true);
  expect(await freshness.waitFor('urgent', position, 60_000)).toBe(true);
});
