import { readFileSync } from 'node:fs';
import { createPostgresEventLog } from '../src/adapters/postgres/event-log.ts';
import { type AppendRequest, LOG_START, NO_STREAM } from '../src/commands/ports.ts';
import { createDatabase } from '../test/support/database.ts';

/** What the event log does a second and costs in CPU; needs DATABASE_URL of a server on this machine. */
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3);
const CLOCK_TICK_US = 10_000;

await using database = await createDatabase();
const log = createPostgresEventLog({ pool: database.pool });
let serial = 0;
const metadata = (causationId: string) => ({
  tenantId: 'acme',
  actor: { id: 'key-7f3a', auth: 'api_key' as const },
  correlationId: '0199c6f0-7a3b-7cde-8f01-23456789abcd',
  causationId,
  occurredAt: 1_763_700_000_000,
});
const data = JSON.stringify({
  jobType: 'email.send',
  queue: 'default',
  priority: 5,
  maxAttempts: 3,
  retry: { kind: 'exponential', baseMs: 1000, factor: 2, maxMs: 3_600_000 },
  tags: ['welcome'],
  note: 'x'.repeat(40),
});

function nextRequest(shared?: ReturnType<typeof metadata>): AppendRequest {
  serial += 1;
  const id = `0199c6f0-${serial.toString(16).padStart(8, '0')}-7cde-8f01-23456789abcd`;
  const event = { type: 'JobEnqueued', schemaVersion: 1, data, metadata: shared ?? metadata(id) };
  return { stream: `job-acme.${id}`, expectedRevision: NO_STREAM, events: [event] };
}

async function measure(name: string, work: () => Promise<number>): Promise<void> {
  const before = await cpu();
  const started = performance.now();
  const events = await work();
  const seconds = (performance.now() - started) / 1_000;
  const after = await cpu();
  const each = (key: 'node' | 'postgres') => ((after[key] - before[key]) / events).toFixed(1);
  console.log(
    `${name.padEnd(44)} ${Math.round(events / seconds)
      .toLocaleString('en')
      .padStart(9)} events/s   ` +
      `Node ${each('node').padStart(5)} µs/event   Postgres ${each('postgres').padStart(5)} µs/event`,
  );
}

/** Microseconds used so far by this process and by the database sessions it has open. */
async function cpu(): Promise<{ readonly node: number; readonly postgres: number }> {
  const { user, system } = process.cpuUsage();
  const { rows } = await database.pool.query<{ pid: number }>(
    'select pid from pg_stat_activity where datname = current_database()',
  );
  const postgres = rows.reduce((sum, { pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_US;
  }, 0);
  return { node: user + system, postgres };
}

/** Callers that each append, wait and append again. */
async function callers(count: number, perAppend: number): Promise<number> {
  const deadline = performance.now() + SECONDS * 1_000;
  let events = 0;
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (performance.now() < deadline) {
        const shared = perAppend > 1 ? metadata(`bulk-${serial}`) : undefined;
        const outcomes = await log.append(Array.from({ length: perAppend }, () => nextRequest(shared)));
        if (!outcomes.every(({ kind }) => kind === 'appended')) throw new Error('an append was lost');
        events += outcomes.length;
      }
    }),
  );
  return events;
}

async function readAll(withoutContent: boolean): Promise<number> {
  const stop = new AbortController();
  let events = 0;
  for await (const page of log.subscribe(LOG_START, {
    signal: stop.signal,
    withoutContent,
    pageSize: 2_000,
  })) {
    events += page.events.length;
    if (page.caughtUp) break;
  }
  stop.abort();
  if (events !== serial) throw new Error(`read ${events} of ${serial} events`);
  return events;
}

/** Appends by 64 callers while somebody listens: how long after the answer is an event delivered? */
async function liveLatency(): Promise<number> {
  const stop = new AbortController();
  const answered = new Map<string, number>();
  const delivered = new Map<string, number>();
  const head = await log.head();
  const listening = (async () => {
    for await (const page of log.subscribe(head, { signal: stop.signal, withoutContent: true })) {
      const now = performance.now();
      for (const { stream } of page.events) delivered.set(stream, now);
    }
  })();
  const deadline = performance.now() + SECONDS * 1_000;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (performance.now() < deadline) {
        const request = nextRequest();
        await log.append([request]);
        answered.set(request.stream, performance.now());
      }
    }),
  );
  while (delivered.size < answered.size) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  await listening;
  const delays = [...answered].map(([stream, at]) => (delivered.get(stream) ?? 0) - at).sort((a, b) => a - b);
  const at = (share: number) => (delays[Math.floor(delays.length * share)] ?? 0).toFixed(1);
  console.log(`  answered -> delivered: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  return delays.length;
}

await callers(64, 1);
for (const count of [1, 64, 1_000])
  await measure(`append 1 event, ${count} callers`, () => callers(count, 1));
await measure('append 500 events, 6 callers', () => callers(6, 500));
await measure('read all, pages of 2,000', () => readAll(false));
await measure('read all, pages of 2,000, without content', () => readAll(true));
await measure('append 1 event, 64 callers, one listener', liveLatency);
await log.close();
