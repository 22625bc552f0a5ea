import { it } from 'vitest';
import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { createRateBuckets } from '../../src/adapters/postgres/rate-buckets.ts';
import { createDatabase } from '../support/database.ts';
import { waitUntil } from '../support/wait-until.ts';
import { exerciseRateBuckets } from './rate-buckets.ts';

exerciseRateBuckets('memory', async () => {
  const buckets = createMemoryRateBuckets({ now: () => Date.now() });
  return { open: () => buckets, async [Symbol.asyncDispose]() {} };
});

exerciseRateBuckets('Postgres', async () => {
  const database = await createDatabase();
  return {
    open: () => createRateBuckets(database.pool),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
});

it('rate buckets in Postgres drain on when the clock of the database has gone back by a day', async () => {
  await using database = await createDatabase();
  const buckets = createRateBuckets(database.pool);
  const asked = {
    tenantId: 'acme',
    perSecond: 1_000,
    burst: 1,
    wanted: 1,
    aheadMs: 0,
    whole: false,
  } as const;
  await buckets.take(asked);
  await database.pool.query('update eventzr.rate_buckets set level = 1, drained_at = drained_at + 86400000');
  await buckets.take(asked);
  await waitUntil('there is room again', async () => (await buckets.take(asked)).granted === 1);
});
