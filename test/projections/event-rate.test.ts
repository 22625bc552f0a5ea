import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EventRate } from '../../src/projections/event-rate.ts';
import { createDatabase } from '../support/database.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

it('follows the last few seconds', () => {
  const rate = new EventRate();
  for (let second = 0; second < 60; second += 1) {
    vi.advanceTimersByTime(1_000);
    rate.add(100);
  }
  vi.advanceTimersByTime(1_000);
  expect(rate.add(100)).toBeGreaterThan(90);
  expect(rate.add(0)).toBeLessThan(120);
});

it.each([[10], [60], [600], [86_400]])(
  'can be written down after a quiet time of %d min',
  async (minutes) => {
    await using database = await createDatabase();
    const rate = new EventRate();
    rate.add(1);
    for (let minute = 0; minute < minutes; minute += 1) {
      vi.advanceTimersByTime(60_000);
      rate.add(0);
    }
    const { rows } = await database.pool.query('select $1::real as rate', [rate.add(0)]);
    expect(rows).toEqual([{ rate: 0 }]);
  },
);
