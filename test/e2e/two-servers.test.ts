import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { JobsWorker } from '../../src/sdk/index.ts';
import { ALL_RIGHT, allDone, auditLog, queueCounts, verifyAll } from '../support/audit.ts';
import { createDatabase } from '../support/database.ts';
import { startLoad } from '../support/load.ts';
import { apiKey, clientOf, type RunningService, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

it('two servers share the work of one database and never run an attempt twice', async () => {
  await using database = await createDatabase();
  const key = await apiKey(database.pool);
  await using one = await startServer({ DATABASE_URL: database.url });
  await using other = await startServer({ DATABASE_URL: database.url });
  const load = startLoad({
    urls: [one.url, other.url],
    apiKey: key,
    workers: 4,
    failEvery: 0,
    // No lease runs out, however slow the machine: a second run would be another attempt.
    leaseMs: 60_000,
  });
  try {
    await load.more(800);
    await load.stopProducing();
    await allDone(database.pool);
    await load.stopWorking();
    expect(load.surprises).toEqual([]);
    expect(await auditLog(database.pool, 'acme', load.accepted.values())).toEqual(ALL_RIGHT);
    expect([...load.runs].filter(([, runs]) => runs !== 1)).toEqual([]);
    expect(load.runs.size).toBe(load.accepted.size);
    expect(await verifyAll(database.url)).toEqual({});
  } finally {
    await load.stopProducing();
    await load.stopWorking();
  }
}, 300_000);

it('the other server fires timers, expires leases and moves read models on when the leader is killed', async () => {
  await using database = await createDatabase();
  const key = await apiKey(database.pool);
  await using leader = await startServer({ DATABASE_URL: database.url });
  await waitUntil('it leads', () =>
    ['timers', 'leases', 'projections'].every((name) => leadingSince(leader, name) !== undefined),
  );
  await using standby = await startServer({ DATABASE_URL: database.url });
  await waitUntil(
    'both have been there for heartbeats since before the last look at the leases',
    async () => {
      const { rows } = await database.pool.query(STEADY);
      return rows.length === 2;
    },
  );
  const client = clientOf(standby.url, key);
  const doomed = await client.enqueue('doomed', {}, { retry: { kind: 'fixed', delayMs: 1 } });
  const [lost] = await claim(standby, key, { types: ['doomed'], leaseMs: 1_000 });
  expect(lost?.job.id).toBe(doomed.id);
  const later = await client.enqueue('later', {}, { runAt: new Date(Date.now() + 1_000).toISOString() });
  await leader.end('SIGKILL');
  const timed = await claimed(standby, key, 'later');
  expect(timed.job.id).toBe(later.id);
  const again = await claimed(standby, key, 'doomed');
  expect(again).toMatchObject({ attempt: 2, job: { id: doomed.id } });
  // Workers could be heard of all the time: there is no grace, which would be ten seconds.
  for await (const { event, occurredAt } of client.history(doomed.id)) {
    if (event !== 'LeaseExpired') continue;
    const sweepingSince = leadingSince(standby, 'leases') ?? Number.POSITIVE_INFINITY;
    expect(Date.parse(occurredAt) - sweepingSince).toBeLessThan(10_000);
  }
  await waitUntil(
    'the list is up to date',
    async () => (await client.list({ status: ['running'] })).data.length === 2,
  );
}, 180_000);

it('a server that is told to stop lets requests finish, and its engine keeps no lease', async () => {
  await using database = await createDatabase();
  const key = await apiKey(database.pool);
  await using leaving = await startServer({ DATABASE_URL: database.url });
  await using staying = await startServer({ DATABASE_URL: database.url });
  const client = clientOf(staying.url, key);
  const jobs = await Promise.all(Array.from({ length: 20 }, () => client.enqueue('slow', {})));
  let started = 0;
  const worker = new JobsWorker<{ slow: { payload: unknown } }>({
    connection: { url: leaving.url, apiKey: key },
    concurrency: 5,
    drainMs: 0,
    handlers: {
      slow: async (_job, { signal }) => {
        started += 1;
        await pause(60_000, undefined, { signal });
      },
    },
  }).start();
  await waitUntil('the worker is busy', () => started === 5);
  // A deploy: the worker's host stops first, then its server.
  await worker.stop();
  const poll = claim(leaving, key, { types: ['never'], waitMs: 20_000 });
  await waitUntil('the poll has arrived', async () =>
    (await client.workers.list()).some(({ id }) => id === 'test'),
  );
  const flood = Promise.all(
    Array.from({ length: 50 }, () => clientOf(leaving.url, key, { tries: 1 }).enqueue('flood', {})),
  );
  await Promise.race([flood, pause(5)]);
  expect(await leaving.end('SIGTERM')).toBe(0);
  expect(await poll).toEqual([]);
  // Each was either taken or turned away, and none is left hanging.
  await flood.catch((error: unknown) => expect(String(error)).toMatch(/did not answer|shutting|stopp/i));
  const claims: Claimed[] = [];
  await waitUntil('all jobs are there again', async () => {
    claims.push(...(await claim(staying, key, { types: ['slow'], max: 100, waitMs: 1_000 })));
    return claims.length >= jobs.length;
  });
  expect(claims.map(({ job }) => job.id).sort()).toEqual(jobs.map(({ id }) => id).sort());
  expect(claims.map(({ attempt }) => attempt)).toEqual(jobs.map(() => 1));
  const { maintained, counted } = await queueCounts(database.pool);
  expect(maintained).toEqual(counted);
}, 180_000);

const STEADY = `
select process
from eventzr.heartbeat_signs
join eventzr.lease_looks
  on since <= looked_at`;

interface Claimed {
  readonly attempt: number;
  readonly job: { readonly id: string };
}

/** Milliseconds since 1970, by the log of the server. */
function leadingSince(server: RunningService, name: string): number | undefined {
  const whole = server.output().split('\n').slice(0, -1);
  const line = whole.find((one) => one.includes(`"leadership":"${name}"`) && one.includes('"leading"'));
  return line === undefined ? undefined : Date.parse((JSON.parse(line) as { time: string }).time);
}

/** The first job of this type, when it comes. */
const claimed = (server: RunningService, key: string, type: string): Promise<Claimed> =>
  waitUntil(`${type} is there`, async () => {
    const [first] = await claim(server, key, { types: [type], leaseMs: 600_000 });
    return first;
  });

async function claim({ url }: RunningService, key: string, request: object): Promise<readonly Claimed[]> {
  const answer = await fetch(`${url}/v1/claims`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ workerId: 'test', waitMs: 20_000, ...request }),
  });
  return answer.status === 204 ? [] : ((await answer.json()) as { claims: Claimed[] }).claims;
}
