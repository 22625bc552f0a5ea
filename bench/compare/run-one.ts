// One system, one scenario, one process: `node compare/run-one.ts <system> <scenario> <jobs>` prints its figures as JSON.
import { bareHttp, http } from './http.ts';
import { scenarios } from './scenarios.ts';
import type { System } from './system.ts';
import { bullMq } from './systems/bullmq.ts';
import { eventzrJobs } from './systems/eventzr-jobs.ts';
import { graphileWorker } from './systems/graphile-worker.ts';
import { pgBoss } from './systems/pg-boss.ts';

const systems: Record<string, () => System> = { eventzrJobs, pgBoss, graphileWorker, bullMq };

const [, , systemName = '', scenarioName = '', count = '10000'] = process.argv;
const jobs = Number(count);
const postgres = process.env.DATABASE_URL ?? '';
const make = systems[systemName];
const scenario = scenarios[scenarioName as keyof typeof scenarios];
if (scenarioName === 'http' && systemName === 'bareServer') {
  report({ system: 'bare Fastify 5, one row a request', ...(await bareHttp(postgres, jobs)) });
} else if (scenarioName === 'http') {
  report({ system: 'Eventzr Jobs', ...(await http(postgres, jobs)) });
} else if (make && scenario) {
  const system = make();
  await system.start({ postgres, redis: process.env.REDIS_URL ?? '' });
  const before = process.cpuUsage();
  const figures = await scenario(system, jobs);
  const cpu = process.cpuUsage(before);
  await system.stop();
  report({
    system: system.name,
    ...figures,
    nodeCpuUsPerJob: (cpu.user + cpu.system) / figures.jobs,
    rssMb: process.memoryUsage().rss / 2 ** 20,
  });
} else {
  const names = `${Object.keys(systems).join('|')} ${Object.keys(scenarios).join('|')}|http`;
  throw new Error(`usage: run-one.ts ${names} jobs`);
}
process.exit(0);

function report(figures: Readonly<Record<string, string | number>>): void {
  console.log(JSON.stringify(figures));
}
