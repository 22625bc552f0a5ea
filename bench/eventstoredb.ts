import { randomBytes } from 'node:crypto';
import { createEventStoreDbLog } from '../src/adapters/eventstoredb/event-log.ts';
import { type AppendRequest, LOG_START, NO_STREAM } from '../src/commands/ports.ts';
import { createEngine } from '../src/engine.ts';
import { createDatabase } from '../test/support/database.ts';

/**
 * What the log does a second in the EventStoreDB at EVENTSTOREDB_URL and costs in CPU here, and with DATABASE_URL how many jobs
 * go from enqueue to completed. Prints one table.
 */
const connectionString = process.env.EVENTSTOREDB_URL ?? '';
if (!connectionString) throw new Error('set EVENTSTOREDB_URL to a server that may be filled');
const EVENTS = Number(process.env.BENCH_EVENTS ?? 20_000);
const JOBS = Number(process.env.BENCH_JOBS ?? 5_000);
const run = randomBytes(4).toString('hex');

const log = createEventStoreDbLog({ connectionString, streamPrefix: `bench-${run}.` });
const data = JSON.stringify({ jobType: 'email.send', queue: 'default', note: 'x'.repeat(200) });

function request(stream: string, expectedRevision: number, events: number): AppendRequest {
  const metadata = {
    tenantId: 'acme',
    actor: { id: 'key-7f3a', auth: 'api_key' as const },
    correlationId: run,
    causationId: `${stream}-${expectedRevision}`,
    occurredAt: 1_763_700_000_000,
  };
  const event = { type: 'JobEnqueued', schemaVersion: 1, data, metadata };
  return { stream, expectedRevision, events: Array.from({ length: events }, () => event) };
}

async function measure(name: string, work: () => Promise<number>): Promise<void> {
  const before = process.cpuUsage();
  const started = performance.now();
  const done = await work();
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(before);
  const rate = Math.round(done / seconds).toLocaleString('en');
  console.log(`| ${name} | ${rate}/s | ${((user + system) / done).toFixed(0)} |`);
}

console.log('| work | rate | Node CPU µs each |\n| --- | --- | --- |');
await measure('append 1 event, one after another', async () => {
  const count = Math.min(EVENTS, 500);
  for (let n = 0; n < count; n += 1) await log.append([request(`job-one.${n}`, NO_STREAM, 1)]);
  return count;
});
await measure('append 1 event to its own stream, 512 in flight', async () => {
  for (let from = 0; from < EVENTS; from += 2_000) {
    await log.append(Array.from({ length: 2_000 }, (_, n) => request(`job-own.${from + n}`, NO_STREAM, 1)));
  }
  return EVENTS;
});
await measure('append 100 events to a stream, 8 streams at once', async () => {
  const rounds = Math.ceil(EVENTS / 800);
  await Promise.all(
    Array.from({ length: 8 }, async (_, lane) => {
      for (let n = 0; n < rounds; n += 1) await log.append([request(`job-lane.${lane}`, n * 100 - 1, 100)]);
    }),
  );
  return rounds * 800;
});
await measure('read a short stream, 64 in flight', async () => {
  const names = Array.from({ length: 1_000 }, (_, n) => `job-own.${n}`);
  return (await log.readStreams(names)).size;
});
await measure('read the whole log in pages of 1,000', async () => {
  let position = LOG_START;
  for (let events = 0; ; ) {
    const page = await log.readLog(position, 1_000);
    events += page.events.length;
    position = page.position;
    if (page.caughtUp) return events;
  }
});
await log.close();

if (process.env.DATABASE_URL) {
  await using database = await createDatabase();
  await using engine = await createEngine({
    databaseUrl: database.url,
    eventStoreDb: { connectionString, streamPrefix: `bench-jobs-${run}.` },
  });
  let completed = 0;
  const all = Promise.withResolvers<void>();
  const worker = engine.worker<{ work: { payload: { n: number } } }>({
    concurrency: 200,
    handlers: {
      work: async () => {
        completed += 1;
        if (completed === JOBS) all.resolve();
      },
    },
  });
  await measure('jobs from enqueue to run, in process', async () => {
    worker.start();
    for (let from = 0; from < JOBS; from += 1_000) {
      const jobs = Array.from({ length: Math.min(1_000, JOBS - from) }, (_, n) => ({
        type: 'work',
        payload: { n },
      }));
      await engine.enqueue('acme', jobs);
    }
    await all.promise;
    return JOBS;
  });
  await worker.stop();
}
