import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { migrate } from '../../src/adapters/postgres/migrate.ts';
import { createSubscriptionStore } from '../../src/adapters/postgres/subscriptions.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { subscriptionRule } from '../../src/commands/inbound/subscription.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

const rule = subscriptionRule.parse({ topic: 'orders', action: { kind: 'enqueue', type: 'mail.send' } });
const note = async () => undefined;
const storeOf = ({ pool }: TestDatabase) => createSubscriptionStore(pool, systemClock);
const write = (name: string, tenantId: string | null) => ({ name, tenantId, rule, by: 'test', note });
const owners = (rows: readonly { readonly tenantId: string | null }[]) =>
  rows.map(({ tenantId }) => tenantId);

describe('the name of a subscription', () => {
  it('is of the platform or of tenants, whoever comes first, however many come at once', async () => {
    await using database = await createDatabase();
    const [one, other, third] = [storeOf(database), storeOf(database), storeOf(database)];
    for (let round = 1; round <= 20; round += 1) {
      const name = `round-${round}`;
      const [ofPlatform, ...ofTenants] = await Promise.all([
        one.put(write(name, null)),
        other.put(write(name, 'acme')),
        third.put(write(name, 'globex')),
      ]);
      const stored = owners((await one.list(null)).filter((row) => row.name === name));
      expect(stored).toEqual(ofPlatform === 'taken' ? ['acme', 'globex'] : [null]);
      expect(ofTenants.includes('taken')).toBe(ofPlatform !== 'taken');
    }
  });

  it('is given back to tenants when a file that took it lets it go', async () => {
    await using database = await createDatabase();
    const store = storeOf(database);
    await store.put(write('orders', 'acme'));
    await store.put(write('orders', 'globex'));
    await store.replaceFromFile(new Map([['orders', rule]]));
    expect(owners(await store.current())).toEqual([null]);
    expect(owners(await store.list('acme'))).toEqual(['acme']);
    expect(await store.get('orders', null)).toMatchObject({ tenantId: null, fromFile: true });
    expect(await store.put(write('orders', 'acme'))).toBe('taken');
    expect(await store.remove('orders', 'globex', note)).toBe('removed');
    expect(await store.remove('orders', null, note)).toBe('taken');
    await store.replaceFromFile(new Map());
    expect(owners(await store.current())).toEqual(['acme']);
  });

  it('stays what it was in a database of an earlier version', async () => {
    await using database = await createDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'eventzr-migrations-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(folder, { recursive: true }));
    const migrations = new URL('../../src/adapters/postgres/migrations/', import.meta.url);
    for (const file of await readdir(migrations)) {
      if (file < '0018') await copyFile(new URL(file, migrations), join(folder, file));
    }
    await database.pool.query('drop schema eventzr cascade');
    await migrate(database.pool, pathToFileURL(`${folder}/`));
    await database.pool.query(
      `insert into eventzr.subscriptions (name, tenant_id, rule, updated_by)
       values ('orders', 'acme', $1, 'test'), ('all-orders', null, $1, 'test')`,
      [JSON.stringify(rule)],
    );
    await migrate(database.pool);
    const store = storeOf(database);
    expect(owners(await store.current())).toEqual([null, 'acme']);
    expect(await store.put(write('orders', 'acme'))).toMatchObject({ tenantId: 'acme' });
    expect(await store.put(write('orders', 'globex'))).toMatchObject({ tenantId: 'globex' });
    expect(await store.list(null)).toHaveLength(3);
  });
});
