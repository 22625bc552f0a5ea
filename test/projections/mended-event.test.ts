import { afterEach, beforeEach, expect, it } from 'vitest';
import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { runningProjections } from '../support/running-projections.ts';
import { appendAmounts, readTallies, tallyProjection } from '../support/tally.ts';
import { waitUntil } from '../support/wait-until.ts';

const IN_TIME = 60_000;
let database: TestDatabase;
let log: PostgresEventLog;
/** Another process: what a log has written itself, it does not read. */
let others: PostgresEventLog;

beforeEach(async () => {
  database = await createDatabase();
  log = createPostgresEventLog({ pool: database.pool });
  others = createPostgresEventLog({ pool: database.pool });
});
afterEach(async () => {
  await log.close();
  await others.close();
  await database[Symbol.asyncDispose]();
});

const start = () => runningProjections(database.pool, log, [tallyProjection()]);

/** Answers the position of what came after it. */
async function damaged({ freshness }: ReturnType<typeof start>) {
  await freshness.waitFor('tally', await appendAmounts(others, 'a', [1]), IN_TIME);
  await database.pool.query(DAMAGE);
  await appendAmounts(others, 'b', [13]);
  const last = await appendAmounts(others, 'c', [2]);
  await database.pool.query('drop trigger damage on events');
  await waitUntil('it is faulted', async () =>
    (await freshness.freshness()).every(({ status }) => status === 'faulted'),
  );
  return last;
}

const DAMAGE = `
create or replace function damage() returns trigger language plpgsql as $$
begin
  if new.stream = 'job-acme.b' then new.data = '{'; end if;
  return new;
end
$$;
create trigger damage before insert on events for each row execute function damage()`;

it('read models go on by themselves when the row of an event that nobody could read was put right', async () => {
  await using runner = start();
  const last = await damaged(runner);
  await database.pool.query(`update events set data = '{"amount":13}' where stream = 'job-acme.b'`);
  expect(await runner.freshness.waitFor('tally', last, IN_TIME)).toBe(true);
  expect(await readTallies(database.pool)).toMatchObject([
    { job_id: 'a', amount: 1 },
    { job_id: 'b', amount: 13 },
    { job_id: 'c', amount: 2 },
  ]);
});

it('read models go on by themselves when a row that nobody could read was taken out', async () => {
  await using runner = start();
  const last = await damaged(runner);
  await database.pool.query(`delete from events where stream = 'job-acme.b'`);
  expect(await runner.freshness.waitFor('tally', last, IN_TIME)).toBe(true);
  const position = await appendAmounts(others, 'd', [3]);
  expect(await runner.freshness.waitFor('tally', position, IN_TIME)).toBe(true);
  expect((await readTallies(database.pool)).map(({ job_id }) => job_id)).toEqual(['a', 'c', 'd']);
});
