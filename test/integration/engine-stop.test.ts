import { expect, it } from 'vitest';
import { createEngine } from '../../src/engine.ts';
import { createDatabase } from '../support/database.ts';
import { logOf } from '../support/log-in-use.ts';
import { waitUntil } from '../support/wait-until.ts';

it('an engine that stops lets its workers finish first', async () => {
  await using database = await createDatabase();
  const engine = await createEngine({ databaseUrl: database.url, ...logOf(database.url) });
  const problems: string[] = [];
  const proceed = Promise.withResolvers<void>();
  const handlers = { t: () => proceed.promise };
  const worker = engine.worker({ handlers, onProblem: ({ what }) => problems.push(what) }).start();
  engine.worker({ handlers });
  const [result] = await engine.enqueue('acme', [{ type: 't' }]);
  await waitUntil('the job runs', () => worker.running === 1);
  const stopped = engine.stop();
  proceed.resolve();
  await stopped;
  expect(worker.running).toBe(0);
  expect(() => worker.start()).toThrow('a worker that was stopped does not start again');
  await worker.stop();
  expect(problems).toEqual([]);
  await using again = await createEngine({ databaseUrl: database.url, ...logOf(database.url) });
  const jobId = result && 'snapshot' in result ? result.snapshot.jobId : '';
  expect(await again.parts.readJob('acme', jobId)).toMatchObject({ job: { status: 'completed' } });
});
