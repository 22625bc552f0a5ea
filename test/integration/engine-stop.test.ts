import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

it('an engine forgets workers that have stopped', async () => {
  await using database = await createDatabase();
  await using engine = await createEngine({ databaseUrl: database.url, ...logOf(database.url) });
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const options = { handlers: { t: () => undefined } };
  const running = engine.worker(options).start();
  const made = async (stop: boolean) => {
    const worker = engine.worker(options);
    if (stop) await worker.start().stop();
    return new WeakRef(worker);
  };
  const [stopped, idle] = [await made(true), await made(false)];
  await waitUntil('the one that was stopped is gone', () => {
    collect();
    return stopped.deref() === undefined;
  });
  expect(idle.deref()).toBeDefined();
  await engine.stop();
  expect(() => running.start()).toThrow('a worker that was stopped does not start again');
});
