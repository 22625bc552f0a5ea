import { setTimeout as pause } from 'node:timers/promises';
import { createEngine } from '../../src/engine.ts';
import { createDatabase } from '../../test/support/database.ts';
import { readModelsCurrent } from '../read-models-current.ts';
import { connection, createTopics, JOBS, newPrefix, topicOptions } from './feed.ts';
import { median } from './figures.ts';

const ROUNDS = 3;
const TENANT = 'bench';
const BULK = 500;
const LONGEST_MS = 300_000;

interface Run {
  readonly jobsPerSecond: number;
  /** Microseconds of this process for each job, everything that it does in the background included. */
  readonly cpu: number;
}

/** What forwarding costs: jobs from enqueue to completed and read models current, with the feed and without, in turns. */
export async function measureCost(): Promise<void> {
  const runs = { without: [] as Run[], with: [] as Run[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    runs.without.push(await run(false));
    runs.with.push(await run(true));
  }
  const middle = (of: readonly Run[]): Run => ({
    jobsPerSecond: median(of.map(({ jobsPerSecond }) => jobsPerSecond)),
    cpu: median(of.map(({ cpu }) => cpu)),
  });
  for (const [name, of] of Object.entries(runs)) {
    const { jobsPerSecond, cpu } = middle(of);
    const what = `end to end ${name} the feed to Kafka`;
    console.log(`${what.padEnd(36)}${Math.round(jobsPerSecond)} jobs/s, ${cpu.toFixed(0)} µs of CPU a job`);
  }
  const share = middle(runs.with).jobsPerSecond / middle(runs.without).jobsPerSecond;
  console.log(`with the feed ${Math.round(share * 100)} % of the rate without it`);
}

async function run(forwarded: boolean): Promise<Run> {
  await using database = await createDatabase();
  const prefix = newPrefix();
  if (forwarded) await createTopics(prefix);
  const topics = topicOptions(prefix);
  const kafka = forwarded ? { connection, topics, contentMode: 'structured' as const } : undefined;
  await using engine = await createEngine({
    databaseUrl: database.url,
    kafka,
    roles: new Set(['projections', 'timers', 'forwarder'] as const),
  });
  const [startedAt, used] = [performance.now(), process.cpuUsage()];
  let done = 0;
  const worker = engine
    .worker({
      concurrency: 500,
      prefetch: 500,
      handlers: {
        bench: () => {
          done += 1;
        },
      },
    })
    .start();
  for (let from = 0; from < JOBS; from += BULK) {
    const jobs = Array.from({ length: Math.min(BULK, JOBS - from) }, (_, n) => ({
      type: 'bench',
      payload: { n: from + n },
    }));
    await engine.enqueue(TENANT, jobs);
  }
  const { forwarderStatus } = engine.parts;
  await until('all jobs are done', async () => done >= JOBS);
  await worker.stop();
  await readModelsCurrent(engine, LONGEST_MS);
  if (forwarded)
    await until('Kafka has everything', async () => (await forwarderStatus.read()).lagEvents === 0);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(used);
  return { jobsPerSecond: JOBS / seconds, cpu: (user + system) / JOBS };
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + LONGEST_MS;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await pause(20);
  }
}
