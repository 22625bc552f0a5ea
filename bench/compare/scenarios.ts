import { setTimeout as pause } from 'node:timers/promises';
import type { System } from './system.ts';

export interface Figures {
  readonly jobs: number;
  readonly [figure: string]: number;
}

export type Scenario = (system: System, jobs: number) => Promise<Figures>;

const seconds = (since: number): number => (performance.now() - since) / 1000;

/** 64 callers, each waiting for its own enqueue before the next. */
const single: Scenario = async (system, jobs) => {
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < jobs) {
        next += 1;
        await system.enqueue(next);
      }
    }),
  );
  return { jobs, perSecond: next / seconds(began) };
};

/** Batches of 500, four callers, then everything worked off; every job must run exactly once. */
const endToEnd: Scenario = async (system, jobs) => {
  const began = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (next < jobs) {
        const from = next;
        next += 500;
        await system.enqueueBulk(Array.from({ length: Math.min(500, jobs - from) }, (_, i) => from + i));
      }
    }),
  );
  const bulkSeconds = seconds(began);
  const runs = new Uint8Array(jobs);
  const workBegan = performance.now();
  await new Promise<void>((resolve, reject) => {
    let done = 0;
    system
      .work((n) => {
        runs[n] = (runs[n] ?? 0) + 1;
        done += 1;
        if (done === jobs) resolve();
      }, 'throughput')
      .catch(reject);
    AbortSignal.timeout(300_000).addEventListener('abort', () =>
      reject(new Error(`${system.name}: only ${done} of ${jobs} jobs ran in 300 s`)),
    );
  });
  await system.settled();
  const workSeconds = seconds(workBegan);
  await system.readModelsCurrent?.();
  const allSeconds = bulkSeconds + seconds(workBegan);
  const wrong = runs.filter((count) => count !== 1).length;
  if (wrong > 0) throw new Error(`${system.name}: ${wrong} jobs did not run exactly once`);
  return {
    jobs,
    bulkPerSecond: jobs / bulkSeconds,
    workPerSecond: jobs / workSeconds,
    endToEndPerSecond: jobs / (bulkSeconds + workSeconds),
    ...(system.readModelsCurrent ? { withReadModelsPerSecond: jobs / allSeconds } : {}),
  };
};

/** Jobs of a pickup run in which every system still compiles, plans and connects: two seconds. */
const COLD = 1_000;

/** 500 enqueues a second; time from the acknowledged enqueue to the handler's call, and apart from that when cold. */
const pickup: Scenario = async (system, jobs) => {
  const acknowledged = new Float64Array(jobs);
  const called = new Float64Array(jobs);
  let done = 0;
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  await system.work((n) => {
    called[n] = performance.now();
    done += 1;
    if (done === jobs) finish();
  }, 'pickup');
  const began = performance.now();
  const enqueues: Promise<void>[] = [];
  for (let n = 0; n < jobs; n += 1) {
    const wait = began + n * 2 - performance.now();
    if (wait > 1) await pause(wait);
    const id = n;
    enqueues.push(
      system.enqueue(id).then(() => {
        acknowledged[id] = performance.now();
      }),
    );
  }
  await Promise.all(enqueues);
  await Promise.race([
    finished,
    pause(60_000).then(() => Promise.reject(new Error(`${system.name}: ${done} of ${jobs} picked up`))),
  ]);
  const latencies = called.map((at, n) => Math.max(0, at - (acknowledged[n] ?? 0)));
  const warm = latencies.slice(COLD).sort();
  const cold = latencies.slice(0, COLD).sort();
  return {
    jobs,
    p50Ms: quantile(warm, 0.5),
    p95Ms: quantile(warm, 0.95),
    p99Ms: quantile(warm, 0.99),
    maxMs: quantile(warm, 1),
    coldP99Ms: quantile(cold, 0.99),
  };
};

const quantile = (sorted: Float64Array, share: number): number =>
  sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;

export const scenarios = { single, endToEnd, pickup } satisfies Record<string, Scenario>;
