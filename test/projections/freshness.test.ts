import { describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { noMetrics } from '../../src/commands/telemetry.ts';
import { Freshness } from '../../src/projections/freshness.ts';
import { createDatabase } from '../support/database.ts';
import { running } from '../support/running.ts';
import { runningProjections } from '../support/running-projections.ts';
import { appendAmounts, environmentOf, tallyProjection } from '../support/tally.ts';
import { waitUntil } from '../support/wait-until.ts';

const IN_TIME = 60_000;

describe('freshness', () => {
  it('shows how far it is behind to processes that do not run it', async () => {
    await using database = await createDatabase();
    const log = createMemoryEventLog();
    const projection = tallyProjection();
    let position = 0n;
    {
      await using runner = runningProjections(database.pool, log, [projection]);
      position = await appendAmounts(log, 'a', [1]);
      await runner.freshness.waitFor('tally', position, IN_TIME);
    }
    // Seen at once, however slow the machine: live is who is behind by less than two seconds.
    const now = Date.now();
    const head = await appendAmounts(log, 'a', [2, 3]);
    const environment = { ...environmentOf(database.pool, log), clock: { now: () => now } };
    const elsewhere = new Freshness({ environment, projections: [projection] });
    const [state] = await elsewhere.freshness();
    expect(state).toMatchObject({ name: 'tally', version: 1, status: 'live', lagEvents: 2, lastError: null });
    expect(state?.position).toBe(position);
    expect(state?.head).toBe(head);
    expect(await elsewhere.waitFor('tally', position, IN_TIME)).toBe(true);
    expect(await elsewhere.waitFor('tally', head, 50)).toBe(false);
    expect(await elsewhere.waitFor('unheard of', 0n, 50)).toBe(false);
  });

  it('is reported as gauges by every process', async () => {
    await using database = await createDatabase();
    const log = createMemoryEventLog();
    const projection = tallyProjection();
    {
      await using runner = runningProjections(database.pool, log, [projection]);
      await runner.freshness.waitFor('tally', await appendAmounts(log, 'a', [1]), IN_TIME);
    }
    await appendAmounts(log, 'a', [2, 3]);
    const gauges = new Map<string, number>();
    const metrics = { ...noMetrics, gauge: (name: string, value: number) => void gauges.set(name, value) };
    const environment = { ...environmentOf(database.pool, log), metrics };
    const elsewhere = new Freshness({ environment, projections: [projection] });
    await using _ = running((signal) => elsewhere.report(signal));
    await waitUntil('all gauges are set', () => gauges.has('projection_up'));
    expect(Object.fromEntries(gauges)).toMatchObject({
      projection_up: 1,
      projection_lag_events: 2,
      projection_position: 1,
    });
    expect(gauges.get('projection_lag_seconds')).toBeGreaterThanOrEqual(0);
  });
});
