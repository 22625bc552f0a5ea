import { describe, expect, it } from 'vitest';
import { checkDatabase } from '../../src/adapters/postgres/check-database.ts';

describe('a database given from outside', () => {
  it('is taken when it answers', async () => {
    await checkDatabase(given().href);
  });

  it('is refused by name when it does not exist', async () => {
    const url = given();
    url.pathname = '/nowhere';
    await expect(checkDatabase(url.href)).rejects.toMatchObject({
      code: 'database_missing',
      message: expect.stringMatching(/no database "nowhere" at .*createdb/),
    });
  });

  it('is refused without the password when it lets nobody in', async () => {
    const url = given();
    url.username = 'stranger';
    url.password = 'hunter2';
    const refusal: Error = await checkDatabase(url.href).then(Promise.reject, (error) => error);
    expect(refusal).toMatchObject({ code: 'database_auth' });
    expect(refusal.message).toMatch(/does not let user "stranger" in.*DATABASE_URL/);
    expect(refusal.message).not.toContain('hunter2');
  });

  it('is refused when nothing answers', async () => {
    await expect(checkDatabase('postgres://127.0.0.1:1/jobs')).rejects.toMatchObject({
      code: 'database_refused',
      message: expect.stringMatching(/no PostgreSQL answers at 127\.0\.0\.1:1 \(ECONNREFUSED\)/),
    });
  });
});

function given(): URL {
  return new URL(process.env.DATABASE_URL ?? '');
}
