import { describe, expect, it, vi } from 'vitest';
import { JobsApiError, JobsWorker } from '../../src/sdk/index.ts';
import { FakeTransport } from '../support/fake-transport.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ended, held, told, untilAborted, type WorkHandler, working } from '../support/working.ts';

describe('a worker', () => {
  it('runs as many handlers at once as it may, and claims ahead', async () => {
    const transport = new FakeTransport();
    transport.add(20);
    const { work, started, open } = held();
    await using worker = working(transport, work, { concurrency: 3, prefetch: 2 });
    await waitUntil('the handlers run', () => worker.running === 3);
    expect(transport.claimed[0]).toMatchObject({ workerId: 'w1', types: ['work'], max: 5, leaseMs: 30_000 });
    expect(started).toEqual([0, 1, 2]);
    open();
    await ended(transport, 20);
    expect(started).toHaveLength(20);
    expect(Math.max(...transport.claimed.map(({ max }) => max))).toBeLessThanOrEqual(5);
  });

  it('lets tenants take turns with what it has claimed ahead', async () => {
    const transport = new FakeTransport();
    transport.add(5, (index) => `large ${index}`, 'work', null, 'large');
    transport.add(2, (index) => `small ${index}`, 'work', null, 'small');
    const { work, started, open } = held();
    await using worker = working(transport, work, { concurrency: 1, prefetch: 10 });
    await waitUntil('the handler runs', () => worker.running === 1);
    open();
    await ended(transport, 7);
    expect(started).toEqual(['large 0', 'small 0', 'large 1', 'small 1', 'large 2', 'large 3', 'large 4']);
  });

  it('reports what ends together in one call', async () => {
    const transport = new FakeTransport();
    transport.add(50);
    const { work, open } = held();
    await using worker = working(transport, work, { concurrency: 50 });
    await waitUntil('the handlers run', () => worker.running === 50);
    open();
    await ended(transport, 50);
    expect(transport.batches).toHaveLength(1);
  });

  it('reports again what could not be delivered', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    const { onAcknowledge } = transport;
    transport.onAcknowledge = async (batch) => {
      if (transport.batches.length < 3) throw new Error('connection lost');
      return onAcknowledge(batch);
    };
    const runs = vi.fn();
    await using worker = working(transport, runs);
    await waitUntil('it got through', () => transport.batches.length === 3);
    await worker.stop();
    expect(runs).toHaveBeenCalledTimes(1);
  });

  it('does not let one outcome that the service cannot take hold up the others', async () => {
    const transport = new FakeTransport();
    transport.add(8);
    transport.onAcknowledge = async (batch) => {
      if (batch.some((one) => one.outcome === 'completed' && one.result === 3)) {
        throw new JobsApiError({ status: 413, code: 'payload-too-large', detail: 'too large' });
      }
      return batch.map(() => ({ kind: 'acknowledged' }));
    };
    const problems: unknown[] = [];
    await using _ = working(transport, ({ payload }) => payload, {
      onProblem: (problem) => problems.push(problem),
    });
    await waitUntil('the refused one is reported as failed', () =>
      [...transport.outcomes.values()].some(({ outcome }) => outcome === 'failed'),
    );
    expect(transport.outcomes.get('lease-4')).toMatchObject({
      outcome: 'failed',
      error: { type: 'ResultNotAccepted', message: 'too large' },
    });
    expect(problems).toHaveLength(1);
    expect(transport.outcomes.size).toBe(8);
  });

  it('goes on when the service could not be reached', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    transport.onClaim = async () => {
      if (transport.claimed.length === 1) throw new Error('unreachable');
    };
    const problems: string[] = [];
    await using _ = working(transport, () => 1, { onProblem: ({ what }) => problems.push(what) });
    await ended(transport, 1);
    expect(problems).toEqual(['claim failed']);
  });

  it('says when an outcome was refused', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    transport.onAcknowledge = async () => [{ kind: 'refused', code: 'lease-lost' }];
    const problems: unknown[] = [];
    await using _ = working(transport, () => 1, { onProblem: (problem) => problems.push(problem) });
    await waitUntil('it said so', () => problems.length > 0);
    expect(problems).toEqual([{ what: 'outcome refused: lease-lost', jobId: 'job-1' }]);
  });

  it('refuses to run nothing at once', () => {
    expect(() => working(new FakeTransport(), () => 1, { concurrency: 0 })).toThrow(RangeError);
  });

  it('refuses to work without handlers', () => {
    expect(() => new JobsWorker({ connection: new FakeTransport(), handlers: {} })).toThrow(/handlers/);
  });

  it('aborts a handler whose attempt has taken its time, which counts as a failure', async () => {
    const transport = new FakeTransport();
    transport.add(1, undefined, 'work', 5);
    const reasons: unknown[] = [];
    await using _ = working(transport, (_job, { signal }) => untilAborted(signal, reasons));
    expect((await ended(transport, 1)).get('lease-1')).toMatchObject({
      outcome: 'failed',
      error: { type: 'AttemptTimedOut' },
    });
    expect(reasons).toMatchObject([{ why: 'timed_out' }]);
  });
});

describe('heartbeats', () => {
  /** A lease so short that heartbeats come at once. */
  const leaseMs = 30;

  it('keep the leases of running and of waiting jobs', async () => {
    const transport = new FakeTransport();
    const tokens = transport.add(4);
    const { work, open } = held();
    await using _ = working(transport, work, { leaseMs, concurrency: 1, prefetch: 3 });
    await waitUntil('all are covered', () => transport.beats.some((beat) => beat.length === 4));
    expect(transport.beats.find((beat) => beat.length === 4)).toEqual(tokens);
    open();
  });

  it('abort a handler whose job is cancelled, which counts as cancelled', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    transport.onHeartbeat = async (tokens) => ({
      directive: 'run',
      leases: tokens.map((leaseToken) => ({ leaseToken, status: 'cancel_requested' })),
    });
    const reasons: unknown[] = [];
    await using _ = working(transport, (_job, { signal }) => untilAborted(signal, reasons), { leaseMs });
    expect((await ended(transport, 1)).get('lease-1')).toMatchObject({ outcome: 'cancelled' });
    expect(reasons).toMatchObject([{ why: 'cancel_requested' }]);
  });

  it('acknowledge the cancel of a job that has not started', async () => {
    const transport = new FakeTransport();
    transport.add(2);
    transport.onHeartbeat = async () => ({
      directive: 'run',
      leases: [{ leaseToken: 'lease-2', status: 'cancel_requested' }],
    });
    const { work, started, open } = held();
    await using _ = working(transport, work, { leaseMs, concurrency: 1, prefetch: 1 });
    expect((await ended(transport, 1)).get('lease-2')).toMatchObject({ outcome: 'cancelled' });
    open();
    await ended(transport, 2);
    expect(started).toEqual([0]);
  });

  it('abort a handler whose lease is lost', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    transport.onHeartbeat = async (tokens) => ({
      directive: 'run',
      leases: tokens.map((leaseToken) => ({ leaseToken, status: 'lost' })),
    });
    const reasons: unknown[] = [];
    await using _ = working(transport, (_job, { signal }) => untilAborted(signal, reasons), { leaseMs });
    await waitUntil('it was told', () => reasons.length > 0);
    expect(reasons).toMatchObject([{ why: 'lease_lost' }]);
  });

  it('abort everything when they can no longer be delivered', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    transport.onHeartbeat = async () => {
      throw new Error('unreachable');
    };
    const reasons: unknown[] = [];
    await using _ = working(transport, (_job, { signal }) => untilAborted(signal, reasons), { leaseMs });
    await waitUntil('it was told', () => reasons.length > 0);
    expect(reasons).toMatchObject([{ why: 'lease_lost' }]);
  });

  it('abort everything when they go unanswered for as long as a lease', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    const unanswered = Promise.withResolvers<never>();
    transport.onHeartbeat = () => unanswered.promise;
    const reasons: unknown[] = [];
    await using worker = working(transport, (_job, { signal }) => untilAborted(signal, reasons), { leaseMs });
    await waitUntil('it was told', () => reasons.length > 0);
    expect(reasons).toMatchObject([{ why: 'lease_lost' }]);
    unanswered.reject(new Error('too late'));
    await waitUntil('it has let go', () => worker.running === 0);
  });

  it('make a quiet worker claim no more until it is woken', async () => {
    const transport = new FakeTransport();
    let directive: 'quiet' | 'run' = 'run';
    transport.onHeartbeat = async () => ({ directive, leases: [] });
    transport.add(1);
    await using _ = working(transport, () => 1, { leaseMs, concurrency: 1, prefetch: 0 });
    await ended(transport, 1);
    await waitUntil('it claims again', () => transport.claimed.length === 2);
    directive = 'quiet';
    await told(transport);
    transport.add(1);
    // The long poll that was open when it was told brings one more.
    await ended(transport, 2);
    transport.add(1);
    await told(transport);
    expect(transport.claimed).toHaveLength(2);
    directive = 'run';
    await ended(transport, 3);
  });

  it('stop a worker that is to terminate', async () => {
    const transport = new FakeTransport();
    transport.onHeartbeat = async () => ({ directive: 'terminate', leases: [] });
    const worker = working(transport, () => 1, { leaseMs });
    await worker.ended;
    expect(() => worker.start()).toThrow('does not start again');
  });
});

describe('stopping', () => {
  it('lets handlers finish and gives back what has not started, spending no attempt', async () => {
    const transport = new FakeTransport();
    transport.add(5);
    const { work, started, open } = held();
    const worker = working(transport, work, { concurrency: 2, prefetch: 3 });
    await waitUntil('the handlers run', () => worker.running === 2);
    const stopped = worker.stop();
    await ended(transport, 3);
    for (const token of ['lease-3', 'lease-4', 'lease-5']) {
      expect(transport.outcomes.get(token)).toMatchObject({ outcome: 'released' });
    }
    open();
    await stopped;
    expect(transport.outcomes.get('lease-1')).toMatchObject({ outcome: 'completed' });
    expect(transport.outcomes.get('lease-2')).toMatchObject({ outcome: 'completed' });
    expect(started).toEqual([0, 1]);
    expect(worker.running).toBe(0);
  });

  it('gives back what a claim under way still brings', async () => {
    const transport = new FakeTransport();
    const gate = Promise.withResolvers<void>();
    transport.onClaim = () => gate.promise;
    transport.add(2);
    const worker = working(transport, () => 1);
    await waitUntil('it claims', () => transport.claimed.length === 1);
    const stopped = worker.stop();
    gate.resolve();
    await stopped;
    expect([...transport.outcomes.values()].map(({ outcome }) => outcome)).toEqual(['released', 'released']);
  });

  it('aborts handlers that take longer than the drain, and releases their jobs', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    const reasons: unknown[] = [];
    const work: WorkHandler = (_job, { signal }) => untilAborted(signal, reasons);
    const worker = working(transport, work, { drainMs: 0 });
    await waitUntil('the handler runs', () => worker.running === 1);
    await worker.stop();
    expect(reasons).toMatchObject([{ why: 'draining' }]);
    expect(transport.outcomes.get('lease-1')).toMatchObject({ outcome: 'released' });
  });

  it('does not wait for ever for a service that is gone', async () => {
    const transport = new FakeTransport();
    transport.add(1);
    transport.onAcknowledge = async () => {
      throw new Error('unreachable');
    };
    const problems: string[] = [];
    const worker = working(transport, () => 1, { drainMs: 0, onProblem: ({ what }) => problems.push(what) });
    await waitUntil('it tries to report', () => transport.batches.length > 0);
    await worker.stop();
    expect(problems).toContain('outcome refused: not_delivered');
  });

  it('is done at once when there is nothing to do, also before the start', async () => {
    const idle = working(new FakeTransport(), () => 1);
    await Promise.all([idle.stop(), idle.stop()]);
    await new JobsWorker({ connection: new FakeTransport(), handlers: { work: () => undefined } }).stop();
  });
});
