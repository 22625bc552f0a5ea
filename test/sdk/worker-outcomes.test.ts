import { describe, expect, it } from 'vitest';
import { FatalError, ReleaseError, RetryAfterError } from '../../src/sdk/index.ts';
import { FakeTransport } from '../support/fake-transport.ts';
import { ended, type WorkHandler, working } from '../support/working.ts';

describe('outcomes', () => {
  const outcomeOf = async (work: WorkHandler) => {
    const transport = new FakeTransport();
    const [token = ''] = transport.add(1);
    await using _ = working(transport, work);
    return (await ended(transport, 1)).get(token);
  };

  it('of a handler that returns: completed, with its result', async () => {
    const outcome = await outcomeOf(() => ({ sent: true }));
    expect(outcome).toEqual({ leaseToken: 'lease-1', outcome: 'completed', result: { sent: true } });
  });

  it('of a handler that returns nothing: completed without a result', async () => {
    expect(await outcomeOf(async () => undefined)).toEqual({ leaseToken: 'lease-1', outcome: 'completed' });
  });

  it('of a handler that throws: failed, with the error, to be retried by the policy', async () => {
    const outcome = await outcomeOf(() => {
      throw new RangeError('too much');
    });
    const error = { type: 'RangeError', message: 'too much', stack: expect.stringContaining('too much') };
    expect(outcome).toMatchObject({ outcome: 'failed', error, fatal: false });
    expect(outcome).toHaveProperty('retryAfterMs', undefined);
  });

  it('of a FatalError: failed, no retry', async () => {
    const outcome = await outcomeOf(async () => {
      throw new FatalError('no such customer');
    });
    expect(outcome).toMatchObject({ outcome: 'failed', fatal: true, error: { type: 'FatalError' } });
  });

  it('of a RetryAfterError: failed, to be retried then', async () => {
    const outcome = await outcomeOf(async () => {
      throw new RetryAfterError(90_000.4);
    });
    expect(outcome).toMatchObject({ outcome: 'failed', fatal: false, retryAfterMs: 90_000 });
  });

  it('of a ReleaseError: released, attempt not spent', async () => {
    const runAt = new Date('2026-11-21T12:00:00Z');
    const outcome = await outcomeOf(async () => {
      throw new ReleaseError('not my turn', runAt);
    });
    expect(outcome).toEqual({ leaseToken: 'lease-1', outcome: 'released', reason: 'not my turn', runAt });
  });

  it.each([
    ['a bigint', () => ({ n: 1n })],
    ['a circle', () => globalThis],
    ['a function', () => () => 1],
  ])('of a handler that returns %s: failed, as JSON cannot hold that', async (_, work) => {
    expect(await outcomeOf(work)).toMatchObject({ outcome: 'failed', error: { type: 'TypeError' } });
  });

  it.each([
    ['text', 'broken', 'broken'],
    ['nothing', undefined, 'undefined'],
    ['what has no text', Object.create(null), 'object'],
    ['what the service would not take', 'a\0b\ud800', 'a\ufffdb\ufffd'],
  ])('of a handler that throws %s: failed', async (_, thrown, message) => {
    const outcome = await outcomeOf(() => {
      throw thrown;
    });
    expect(outcome).toMatchObject({ outcome: 'failed', error: { type: 'Error', message } });
  });

  it('of a job that no handler is there for: released', async () => {
    const transport = new FakeTransport();
    transport.add(1, undefined, 'constructor');
    await using _ = working(transport, () => 1);
    expect((await ended(transport, 1)).get('lease-1')).toMatchObject({ outcome: 'released' });
  });
});
