import { JobsWorker } from '../../src/sdk/index.ts';
import type { WorkerOptions } from '../../src/sdk/worker.ts';
import type { FakeTransport } from './fake-transport.ts';
import { waitUntil } from './wait-until.ts';

type Work = { work: { payload: unknown; result: unknown } };
export type WorkHandler = WorkerOptions<Work>['handlers']['work'];

/** A worker with one handler, at work. */
export function working(
  transport: FakeTransport,
  work: WorkHandler,
  options: Partial<WorkerOptions<Work>> = {},
): JobsWorker<Work> {
  return new JobsWorker<Work>({
    connection: transport,
    handlers: { work },
    workerId: 'w1',
    ...options,
  }).start();
}

/** Waits for this many outcomes. */
export const ended = (transport: FakeTransport, count: number) =>
  waitUntil(`${count} outcomes`, () => transport.outcomes.size >= count && transport.outcomes);

/** Waits until the worker has heard what heartbeats are answered now; one may be under way already. */
export async function told({ beats }: FakeTransport): Promise<void> {
  const before = beats.length;
  await waitUntil('it was told', () => beats.length > before + 2);
}

/** A handler that holds its jobs until the test lets them go. */
export function held() {
  const gate = Promise.withResolvers<void>();
  const started: unknown[] = [];
  const work = async ({ payload }: { payload: unknown }): Promise<void> => {
    started.push(payload);
    await gate.promise;
  };
  return { work, started, open: gate.resolve };
}

/** What a handler does that only waits to be told to stop; notes why. */
export function untilAborted(signal: AbortSignal, reasons: unknown[]): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reasons.push(signal.reason);
      reject(signal.reason);
    });
  });
}
