import type { Caller, LiveApi } from './live-api.ts';
import { waitUntil } from './wait-until.ts';

/** Orders that a shop tells of make jobs. */
export const rule = (change = {}) => ({
  topic: 'order.placed',
  action: { kind: 'enqueue', type: 'order.fulfil' },
  ...change,
});

export const event = (id: string, data: unknown = { id }) => ({
  specversion: '1.0',
  id,
  source: 'shop',
  type: 'order.placed',
  data,
});

/** Payloads of a tenant's jobs in the order of the log, once all that was accepted is there. */
export async function jobsOf(api: LiveApi, { tenantId }: Caller): Promise<readonly string[]> {
  await waitUntil('staged jobs are in the log', async () => {
    const { rows } = await api.database.pool.query('select from eventzr.staged_jobs limit 1');
    return rows.length === 0;
  });
  const { rows } = await api.database.pool.query<{ content: string }>(
    `select content from eventzr.events where type = 'JobEnqueued' and stream ^@ $1 order by position`,
    [`job-${tenantId}.`],
  );
  return rows.map(({ content }) => content);
}
