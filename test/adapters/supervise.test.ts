import { describe, expect, it } from 'vitest';
import { supervise } from '../../src/adapters/supervise.ts';
import { pause } from '../../src/commands/pause.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import { waitUntil } from '../support/wait-until.ts';

function recording() {
  const pauses: number[] = [];
  const counts: string[] = [];
  const gauges: [string, number][] = [];
  const logger: Logger = {
    ...noLogger,
    warn: (fields) => {
      if ('pauseMs' in fields) pauses.push(Number(fields.pauseMs));
    },
  };
  const metrics: Metrics = {
    ...noMetrics,
    count: (name, _, labels) => void counts.push(`${name} ${labels?.task}`),
    gauge: (name, value) => void gauges.push([name, value]),
  };
  return { pauses, counts, gauges, logger, metrics };
}

describe('a supervised task', () => {
  it('starts again after it failed, threw at once or just ended, with growing, capped pauses', async () => {
    const { pauses, counts, logger, metrics } = recording();
    const stop = new AbortController();
    let starts = 0;
    const task = (): Promise<void> => {
      starts += 1;
      if (starts > 6) stop.abort();
      if (starts === 1) throw new Error('at once');
      return starts === 2 ? Promise.resolve() : Promise.reject(new Error('later'));
    };
    const timing = { firstPauseMs: 2, longestPauseMs: 10, random: () => 1 };
    await supervise({ name: 'task', task, signal: stop.signal, logger, metrics, ...timing });
    expect(starts).toBe(7);
    expect(pauses).toEqual([2, 4, 8, 10, 10, 10]);
    expect(counts).toEqual(Array.from({ length: 6 }, () => 'background_restarts_total task'));
  });

  it('counts from the start again after a healthy run', async () => {
    const { pauses, logger } = recording();
    const stop = new AbortController();
    let starts = 0;
    const task = async () => {
      starts += 1;
      if (starts > 4) stop.abort();
    };
    const timing = { firstPauseMs: 2, healthyMs: 0, random: () => 1 };
    await supervise({ name: 'task', task, signal: stop.signal, logger, ...timing });
    expect(pauses).toEqual([2, 2, 2, 2]);
  });

  it('ends with its signal, and says while it runs', async () => {
    const { gauges, metrics } = recording();
    const stop = new AbortController();
    const supervised = supervise({
      name: 'task',
      task: (signal) => pause(60_000, signal),
      signal: stop.signal,
      metrics,
    });
    await waitUntil('it runs', () => gauges.length > 0);
    stop.abort();
    await supervised;
    expect(gauges).toEqual([
      ['background_running', 1],
      ['background_running', 0],
    ]);
  });

  it('is left behind when it does not stop in time', async () => {
    const stop = new AbortController();
    const task = () => new Promise<void>(() => undefined);
    const supervised = supervise({ name: 'task', task, signal: stop.signal, stopMs: 10 });
    stop.abort();
    await supervised;
  });

  it('does not start when the signal has aborted already', async () => {
    const task = () => Promise.reject(new Error('must not run'));
    await supervise({ name: 'task', task, signal: AbortSignal.abort() });
  });
});
