import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { append, createTopics, forward, newPrefix } from './feed.ts';
import { percentile } from './figures.ts';

const LIVE_SECONDS = 20;
const LIVE_PER_SECOND = 1_000;

export async function measureLive(): Promise<void> {
  const { latencies, cpu, requests } = await live();
  const [p50, p99, longest] = [0.5, 0.99, 0.99999].map((share) => percentile(latencies, share));
  const what = `live, ${LIVE_PER_SECOND} events/s, commit to acknowledged`;
  console.log(`${what}: p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms`);
  const perRequest = (latencies.length / requests).toFixed(1);
  console.log(`live, ${cpu.toFixed(0)} µs of CPU an event with its append, ${perRequest} events a request`);
}

interface Live {
  /** Milliseconds from commit to acknowledgement, of each event. */
  readonly latencies: readonly number[];
  /** Microseconds of this process for each event: appending and forwarding. */
  readonly cpu: number;
  readonly requests: number;
}

async function live(): Promise<Live> {
  const prefix = newPrefix();
  await createTopics(prefix);
  const committed = new Map<string, number>();
  const latencies: number[] = [];
  let requests = 0;
  const acknowledged = (values: readonly string[]) => {
    const now = performance.now();
    requests += 1;
    for (const value of values) {
      // Whatever was acknowledged before its append was seen to be committed took no time.
      const at = committed.get(/"jobId":"(\w+)"/.exec(value)?.[1] ?? '') ?? now;
      latencies.push(now - at);
    }
  };
  // From where catching up ended: nothing is left of it. Connecting is not what is measured.
  const running = forward(prefix, () => undefined, acknowledged);
  await append(100);
  while (latencies.length < 300) await pause(10);
  latencies.length = 0;
  requests = 0;
  const everyMs = 9;
  const perTurn = Math.round((LIVE_PER_SECOND * everyMs) / 3_000);
  const [startedAt, used] = [performance.now(), process.cpuUsage()];
  for (let turn = 0; turn * everyMs < LIVE_SECONDS * 1_000; turn += 1) {
    const waitMs = startedAt + turn * everyMs - performance.now();
    if (waitMs > 0) await pause(waitMs);
    const ids = Array.from({ length: perTurn }, () => randomBytes(12).toString('hex'));
    void append(perTurn, ids).then(() => {
      const now = performance.now();
      for (const id of ids) committed.set(id, now);
    });
  }
  await pause(1_000);
  const { user, system } = process.cpuUsage(used);
  await running.stop();
  // The first second finds cold code and new connections.
  const warm = latencies.slice(Math.round(latencies.length / LIVE_SECONDS));
  return { latencies: warm, cpu: (user + system) / latencies.length, requests };
}
