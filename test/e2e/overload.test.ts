import { expect, it } from 'vitest';
import { createDatabase } from '../support/database.ts';
import { apiKey, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

/** As few as may be set, and few more: all are answered, also on a busy machine, before the log gives up on PostgreSQL. */
const MOST_PENDING = 100;
const CALLERS = 150;

it('turns away what it cannot hold with 503 and when to come back, keeps what it took, and recovers', async () => {
  await using database = await createDatabase();
  const key = await apiKey(database.pool);
  await using server = await startServer({
    // It is PostgreSQL's writers that are held up here.
    EVENTSTOREDB_URL: '',
    DATABASE_URL: database.url,
    MAX_PENDING_EVENTS: String(MOST_PENDING),
  });
  const enqueue = (n: number) =>
    fetch(`${server.url}/v1/jobs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'flood', payload: { n } }),
    });
  expect((await enqueue(-1)).status).toBe(201);
  const answers: Response[] = [];
  const blocker = await database.pool.connect();
  try {
    await blocker.query('begin; lock table events in exclusive mode');
    const flood = Promise.all(
      Array.from({ length: CALLERS }, async (_, n) => {
        const answer = await enqueue(n);
        answers.push(answer);
      }),
    );
    await waitUntil('the rest is turned away', () => answers.length === CALLERS - MOST_PENDING);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(answers.every(({ headers }) => Number(headers.get('retry-after')) >= 1)).toBe(true);
    expect(await answers[0]?.json()).toMatchObject({ code: 'log-overloaded' });
    await blocker.query('rollback');
    await flood;
  } finally {
    blocker.release();
  }
  const accepted = answers.filter(({ status }) => status === 201);
  expect(accepted).toHaveLength(MOST_PENDING);
  expect((await enqueue(CALLERS)).status).toBe(201);
  const { rows } = await database.pool.query(`select from events where type = 'JobEnqueued'`);
  expect(rows).toHaveLength(MOST_PENDING + 2);
});
