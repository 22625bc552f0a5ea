import { describe, expect, it } from 'vitest';
import type { Publishing } from '../../src/adapters/kafka/publishing.ts';
import { Republisher } from '../../src/adapters/kafka/republisher.ts';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { apiKeyEnd, createApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { createRepublicationStore } from '../../src/adapters/postgres/republications.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import type { Actor } from '../../src/domain/metadata.ts';
import { createDatabase } from '../support/database.ts';
import { appendInTurn, PUBLIC_EVENTS_OF_A_JOB as EVENTS } from '../support/forwarding.ts';
import { EVERYTHING } from '../support/republishing.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

/** A process without Kafka: `publish` stands for it. */
async function republisherWith(publish: Publishing['publish']) {
  const database = await createDatabase();
  const { pool } = database;
  const { keyId } = await createApiKey(pool, { name: 'ops', tenants: '*', role: 'admin' });
  const log = createMemoryEventLog();
  await appendInTurn(log, 'acme', 0, 5);
  const mapping = async () => ({ prefix: '', contentMode: 'structured' as const, partitionOf: () => 0 });
  const store = createRepublicationStore(pool);
  const republisher = new Republisher({
    store,
    log,
    publishing: () => ({ mapping, publish, close: async () => undefined }),
    decode: decodeEvent,
    keyEnd: apiKeyEnd(pool),
    ids: systemIds(),
    logger: noLogger,
    metrics: noMetrics,
  });
  return {
    pool,
    keyId,
    key: { id: `ops (${keyId})`, auth: 'api_key' } as const,
    run: () => running((signal) => republisher.run(signal)),
    start: async (by: Actor) =>
      (await republisher.start(by, { ...EVERYTHING, to: await log.head(), topicSuffix: '.again' })).id,
    over: (id: string) =>
      waitUntil('the republication is over', async () => {
        const found = await store.get(id);
        return found && found.status !== 'running' ? found : undefined;
      }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

describe('a republication', () => {
  it('stops when its key is revoked, also while Kafka takes nothing, and says so', async () => {
    const sending = Promise.withResolvers<void>();
    await using set = await republisherWith(async (_messages, signal) => {
      sending.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return [];
    });
    await using _process = set.run();
    const id = await set.start(set.key);
    await sending.promise;
    await set.pool.query('update api_keys set revoked_at = now() where key_id = $1', [set.keyId]);
    expect(await set.over(id)).toMatchObject({
      status: 'failed',
      position: 0n,
      error: `the key that asked for it, ops (${set.keyId}), was revoked; what is sent stays sent`,
    });
  });

  it.each([
    ['was revoked', "revoked_at = now() - interval '1 second'"],
    ['has expired', "expires_at = now() - interval '1 second'"],
  ])('is not taken up by another process once its key %s', async (words, change) => {
    let sent = 0;
    await using set = await republisherWith(async ({ length }) => {
      sent += length;
      return [];
    });
    const id = await set.start(set.key);
    await set.pool.query(`update api_keys set ${change} where key_id = $1`, [set.keyId]);
    await using _process = set.run();
    const ended = await set.over(id);
    expect(ended).toMatchObject({ status: 'failed', found: 0 });
    expect(ended.error).toContain(words);
    expect(sent).toBe(0);
  });

  it('is carried out whole for a key that works, and for callers without one', async () => {
    await using set = await republisherWith(async () => []);
    await using _process = set.run();
    for (const by of [set.key, { id: 'ann', auth: 'jwt' }, { id: 'dev', auth: 'dev_key' }] as const) {
      const ended = await set.over(await set.start(by));
      expect(ended).toMatchObject({ status: 'done', found: 5 * EVENTS, by: by.id, error: null });
    }
  });

  it('that an older version accepted goes on', async () => {
    await using set = await republisherWith(async () => []);
    const id = await set.start(set.key);
    await set.pool.query('update republications set requested_auth = null');
    await using _process = set.run();
    expect(await set.over(id)).toMatchObject({ status: 'done', found: 5 * EVENTS });
  });
});
