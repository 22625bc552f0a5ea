import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { createRateBuckets } from '../../src/adapters/postgres/rate-buckets.ts';
import { createDatabase } from '../support/database.ts';
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
