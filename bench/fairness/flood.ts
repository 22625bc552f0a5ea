import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { engineOf, serverOf } from './flooded-service.ts';

export interface Pickup {
  readonly phase: string;
  readonly jobs: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export interface Flooded {
  readonly pickups: readonly Pickup[];
  readonly enqueueSeconds: number;
  readonly workedOffSeconds: number;
}

const EVERY_MS = 20;
const QUIET_MS = 10_000;

export interface FloodOptions {
  /** Handlers wait as for somebody else's answer, up to twice as long; 0: nothing bounds the work but the CPU. */
  readonly handlerMs: number;
  /** Jobs that the worker claims ahead. */
  readonly prefetch: number;
  /** The flood's limit enqueuesPerSecond; 0: it has none. */
  readonly rate: number;
  /** Bulks under way at once. */
  readonly callers: number;
  /** Everybody over HTTP; otherwise an engine in this process, and another one that floods. */
  readonly overHttp: boolean;
}

/**
 * A worker takes jobs of all tenants, 50 at once. One tenant enqueues 50 jobs a second all the time; after ten seconds
 * another one enqueues a flood from a process of its own. Pickup: acknowledged enqueue to handler.
 */
export async function flood(
  url: string,
  jobs: number,
  { handlerMs, prefetch, rate, callers, overHttp }: FloodOptions,
): Promise<Flooded> {
  const service = await (overHttp ? serverOf : engineOf)(url, rate);
  let handled = 0;
  let workedOff: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    workedOff = resolve;
  });
  const called = new Map<number, number>();
  const worker = service.work({
    concurrency: 50,
    prefetch,
    handlers: {
      steady: async ({ payload }) => {
        called.set(payload.at, performance.now());
        if (handlerMs > 0) await pause(handlerMs * 2 * Math.random());
      },
      flood: async () => {
        if (handlerMs > 0) await pause(handlerMs * 2 * Math.random());
        handled += 1;
        if (handled === jobs) workedOff();
      },
    },
  });
  const enqueued = new Map<number, { readonly phase: string; readonly at: number }>();
  let phase = 'quiet';
  let running = true;
  const steady = (async () => {
    const pending: Promise<void>[] = [];
    for (let n = 0, next = performance.now(); running; n += 1) {
      next += EVERY_MS;
      await pause(Math.max(0, next - performance.now()));
      const at = n;
      const during = phase;
      pending.push(
        service.enqueue(at).then(() => {
          enqueued.set(at, { phase: during, at: performance.now() });
        }),
      );
    }
    await Promise.all(pending);
  })();
  await pause(2_000);
  phase = 'before the flood';
  await pause(QUIET_MS);
  phase = 'while it is enqueued';
  const began = performance.now();
  const enqueueSeconds = await write(jobs, callers, service.environment);
  phase = 'while it is worked off';
  await done;
  const workedOffSeconds = (performance.now() - began) / 1_000;
  running = false;
  await steady;
  await pause(1_000);
  await worker.stop();
  await service.stop();
  const quiet = 'before the flood';
  const enqueuing = 'while it is enqueued';
  const working = 'while it is worked off';
  const parts = {
    [quiet]: [quiet],
    [enqueuing]: [enqueuing],
    [working]: [working],
    both: [enqueuing, working],
  };
  return {
    enqueueSeconds,
    workedOffSeconds,
    pickups: Object.entries(parts).map(([name, phases]) => {
      const times = [...enqueued]
        .filter(([, job]) => phases.includes(job.phase))
        .map(([n, job]) => Math.max(0, (called.get(n) ?? Number.POSITIVE_INFINITY) - job.at))
        .sort((a, b) => a - b);
      const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? Number.NaN;
      return { phase: name, jobs: times.length, p50: at(0.5), p95: at(0.95), max: at(1) };
    }),
  };
}

async function write(
  jobs: number,
  callers: number,
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const script = new URL('./flood-writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, `${jobs}`, `${callers}`], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the flood ended with code ${code}`);
  return JSON.parse(output.trim()).seconds;
}
