import { expect, it } from 'vitest';
import { postgresActivitySign } from '../../src/adapters/postgres/activity-sign.ts';
import { createDatabase } from '../support/database.ts';
import { waitUntil } from '../support/wait-until.ts';

it('a process knows that others are active for as long as it asks about', async () => {
  await using database = await createDatabase();
  const sign = postgresActivitySign(database.pool);
  expect(await sign.wasToldWithin(60_000)).toBe(false);
  await sign.tell();
  await sign.tell();
  expect(await sign.wasToldWithin(60_000)).toBe(true);
  await waitUntil('the sign is old', async () => !(await sign.wasToldWithin(5)));
});
