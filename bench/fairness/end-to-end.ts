import { setTimeout as pause } from 'node:timers/promises';
import { DEFAULT_TERMS, type QuotaTerms } from '../../src/domain/tenant-quota/limits.ts';
import { createEngine, type Engine } from '../../src/engine.ts';
import type { Server } from '../compare/servers.ts';
import { readModelsCurrent } from '../read-models-current.ts';

const TENANT = 'bench';
const GIVE_UP_MS = 300_000;

/** Limits of every kind that jobs are held to, none of them reached; a rate that is always there. */
const TERMS: QuotaTerms = {
  ...DEFAULT_TERMS,
  weight: 3,
  limits: {
    jobsPerDay: 100_000_000,
    unfinishedJobs: 10_000_000,
    runningJobs: 100_000,
    enqueuesPerSecond: 1_000_000,
    enqueueBurst: 1_000_000,
    payloadBytes: 10_000,
  },
};

export interface EndToEnd {
  readonly perSecond: number;
  readonly nodeCpuUs: number;
  readonly postgresCpuUs: number;
}

/** Enqueues in bulks of 500 by four callers and works everything off; until the read models show it. */
export async function endToEnd(
  url: string,
  jobs: number,
  limited: boolean,
  server: Server,
): Promise<EndToEnd> {
  const engine = await createEngine({ databaseUrl: url });
  if (limited) await limit(engine);
  const cpuBefore = process.cpuUsage();
  const serverBefore = server.cpuUs();
  const began = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (next < jobs) {
        const count = Math.min(500, jobs - next);
        next += count;
        const batch = Array.from({ length: count }, (_, n) => ({ type: 'bench', payload: { n } }));
        for (const { kind } of await engine.enqueue(TENANT, batch))
          if (kind !== 'created') throw new Error(`a job was ${kind}`);
      }
    }),
  );
  await work(engine, jobs);
  await readModelsCurrent(engine);
  const seconds = (performance.now() - began) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  const figures = {
    perSecond: jobs / seconds,
    nodeCpuUs: (cpu.user + cpu.system) / jobs,
    postgresCpuUs: (server.cpuUs() - serverBefore) / jobs,
  };
  await engine.stop();
  return figures;
}

async function limit(engine: Engine): Promise<void> {
  const { useCases, ids } = engine.parts;
  const context = {
    tenantId: TENANT,
    actor: { id: 'bench', auth: 'in_process' },
    correlationId: ids.next(),
  } as const;
  await useCases.setTerms(context, TERMS, {});
  await readModelsCurrent(engine);
}

async function work(engine: Engine, jobs: number): Promise<void> {
  let handled = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const workers = [1, 2].map(() =>
    engine
      .worker<{ readonly bench: { readonly payload: { readonly n: number } } }>({
        concurrency: 500,
        prefetch: 500,
        handlers: {
          bench: () => {
            handled += 1;
            if (handled === jobs) resolve();
          },
        },
      })
      .start(),
  );
  await Promise.race([
    promise,
    pause(GIVE_UP_MS, undefined, { ref: false }).then(() =>
      Promise.reject(new Error(`${handled} of ${jobs} jobs ran`)),
    ),
  ]);
  await Promise.all(workers.map((worker) => worker.stop()));
  if (handled !== jobs) throw new Error(`${handled} runs of ${jobs} jobs`);
}
