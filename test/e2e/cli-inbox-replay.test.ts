import { expect, it } from 'vitest';
import { createInboxDeadLetters } from '../../src/adapters/postgres/inbox-dead-letters.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { cliService } from '../support/cli-service.ts';

const LETTERS = 250;

it('a person replays all messages of a kind at once', { timeout: 240_000 }, async () => {
  await using service = await cliService();
  const { jobs, json } = service;
  await jobs(
    'subscriptions',
    'put',
    'orders',
    '{"topic":"orders","action":{"kind":"enqueue","type":"fulfil"}}',
  );
  await createInboxDeadLetters(service.database.pool, systemIds()).add(
    Array.from({ length: LETTERS }, (_, index) => ({
      topic: 'orders',
      partition: 0,
      offset: String(index),
      groupId: 'group',
      tenantId: 'acme',
      key: null,
      value: Buffer.from(
        JSON.stringify({
          event_id: `o-${index}`,
          event_type: 'order.placed',
          occurred_at: '2026-11-21T09:30:00Z',
          tenant_id: 'acme',
          data: {},
        }),
      ),
      headers: {},
      sentAt: 0,
      reason: 'failed',
      error: 'enqueue for acme: tenant_suspended',
      stack: null,
      faults: null,
      attempts: 4,
    })),
  );

  expect((await jobs('inbox', 'dlq', 'replay')).err).toContain('give the id of a message; or else --topic');
  const replay = ['inbox', 'dlq', 'replay', '--error', 'tenant_suspended', '--reason', 'paid'];
  const { out, err } = await jobs(...replay);
  expect(out).toMatch(/^250 replayed, 0 left$/m);
  expect(err).toBe('100 replayed, 0 left …\n200 replayed, 0 left …\n');
  expect(await json(...replay)).toEqual({ seen: 0, replayed: 0, left: 0, errors: [] });
});
