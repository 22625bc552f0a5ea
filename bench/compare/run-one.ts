// One system, one scenario, one process: `node compare/run-one.ts <system> <scenario> <jobs>` prints its figures as JSON.
import { scenarios } from './scenarios.ts';
import type { System } from './system.ts';
import { bullMq } from './systems/bullmq.ts';
import { eventzrJobs } from './systems/eventzr-jobs.ts';
import { graphileWorker } from './systems/graphile-worker.ts';
import { pgBoss } from './systems/pg-boss.ts';

const systems: Record<string, () => System> = { eventzrJobs, pgBoss, graphileWorker, bullMq };

const [, , systemName = '', scenarioName = '', jobs = '10000'] = process.argv;
const make = systems[systemName];
const scenario = scenarios[scenarioName as keyof typeof scenarios];
if (!make || !scenario)
  throw new Error(
    `usage: run-one.ts ${Object.keys(systems).join('|')} ${Object.keys(scenarios).join('|')} jobs`,
  );

const system = make();
await system.start({ postgres: process.env.DATABASE_URL ?? '', redis: process.env.REDIS_URL ?? '' });
const before = process.cpuUsage();
const figures = await scenario(system, Number(jobs));
const cpu = process.cpuUsage(before);
await system.stop();
console.log(
  JSON.stringify({
    system: system.name,
    ...figures,
    nodeCpuUsPerJob: (cpu.user + cpu.system) / figures.jobs,
    rssMb: process.memoryUsage().rss / 2 ** 20,
  }),
);
process.exit(0);
