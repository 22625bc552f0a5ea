import { afterEach, expect, it, vi } from 'vitest';
import { JobsApiError } from '../../src/sdk/index.ts';
import { FakeTransport } from '../support/fake-transport.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ended, working } from '../support/working.ts';

afterEach(() => vi.restoreAllMocks());

const warnings = () => vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

it('a worker that nobody listens to warns of what went wrong', async () => {
  const warned = warnings();
  const transport = new FakeTransport();
  transport.onClaim = async () => {
    throw new JobsApiError({
      status: 401,
      code: 'unauthenticated',
      detail: 'It is missing, unknown or revoked.',
    });
  };
  await using _ = working(transport, () => 1);
  await waitUntil('it said so', () => warned.mock.calls.length > 0);
  expect(warned.mock.calls[0]).toEqual(['claim failed: It is missing, unknown or revoked.', 'JobsWorker']);
});

it('a warning names the job', async () => {
  const warned = warnings();
  const transport = new FakeTransport();
  transport.add(1);
  transport.onAcknowledge = async () => [{ kind: 'refused', code: 'lease-lost' }];
  await using _ = working(transport, () => 1);
  await waitUntil('it said so', () => warned.mock.calls.length > 0);
  expect(warned.mock.calls).toEqual([['outcome refused: lease-lost (job job-1)', 'JobsWorker']]);
});

it('a worker that somebody listens to warns of nothing', async () => {
  const warned = warnings();
  const transport = new FakeTransport();
  transport.add(1);
  transport.onClaim = async () => {
    if (transport.claimed.length === 1) throw new Error('unreachable');
  };
  await using _ = working(transport, () => 1, { onProblem: () => {} });
  await ended(transport, 1);
  expect(warned).not.toHaveBeenCalled();
});
