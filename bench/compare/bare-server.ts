// The least a durable enqueue over HTTP can be made of here: Fastify, one row a request, many requests a commit. Knows no
// callers, checks nothing, folds nothing: what our own server needs beyond this is what its work costs.
import Fastify from 'fastify';
import pg from 'pg';

/** As many appends as our log has under way at once, and as large. */
const CALLS = 3;
const MOST = 500;

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL ?? '', max: CALLS });
await pool.query('create table if not exists bare_jobs (id uuid primary key, body text not null)');

interface Waiting {
  readonly id: string;
  readonly body: string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}
let waiting: Waiting[] = [];
let calls = 0;

const insert = (id: string, body: string): Promise<void> =>
  new Promise((done, failed) => {
    waiting.push({ id, body, done, failed });
    setImmediate(flush);
  });

function flush(): void {
  if (waiting.length === 0 || calls === CALLS) return;
  const batch = waiting.slice(0, MOST);
  waiting = waiting.slice(MOST);
  calls += 1;
  pool
    .query({
      name: 'insert',
      text: INSERT,
      values: [batch.map(({ id }) => id), batch.map(({ body }) => body)],
    })
    .then(
      () => {
        for (const { done } of batch) done();
      },
      (error: unknown) => {
        for (const { failed } of batch) failed(error);
      },
    )
    .finally(() => {
      calls -= 1;
      flush();
    });
}

const INSERT = `
insert into bare_jobs (id, body)
select *
from unnest($1::uuid[], $2::text[])`;

const app = Fastify();
app.post('/v1/jobs', async (request, reply) => {
  const id = crypto.randomUUID();
  await insert(id, JSON.stringify(request.body));
  return reply.code(201).send({ id, status: 'queued' });
});
const url = await app.listen({ host: '127.0.0.1', port: 0 });
console.log(JSON.stringify({ event: 'server.ready', url }));
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
