import { expect, it } from 'vitest';
import { toCloudEvent } from '../../src/adapters/cloudevents/to-cloud-event.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { feedSetUp } from '../support/feed-set-up.ts';
import { appendInTurn, appendJob, PUBLIC_EVENTS_OF_A_JOB as EVENTS } from '../support/forwarding.ts';
import { outboxIsWritten, outboxWriter, writingOutbox } from '../support/outbox-writing.ts';
import { appendQuota } from '../support/public-quota-events.ts';
import { running } from '../support/running.ts';
import { apiKey, clientOf, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const setUp = () => feedSetUp([]);

it('holds each public event once, in the order of the log, whoever writes', async () => {
  await using set = await setUp();
  await appendInTurn(set.log, 'acme', 0, 5);
  await appendQuota(set.log, 'acme');
  {
    await using _first = writingOutbox(set);
    await outboxIsWritten(set);
  }
  await appendJob(set.log, 'acme', 5, { payload: '{"big":12345678901234567890, "n":5}' });
  await using _second = writingOutbox(set);
  await outboxIsWritten(set);
  const { rows } = await set.pool.query('select * from outbox order by position');
  const { events } = await set.log.readLog(0n, 1_000);
  const expected = events.flatMap((stored) => {
    const decoded = decodeEvent(stored);
    const event = decoded && toCloudEvent(decoded);
    return event ? [{ position: `${stored.position}`, id: event.id, payload: event.json }] : [];
  });
  expect(expected).toHaveLength(6 * EVENTS + 2);
  expect(rows.map(({ position, id, payload }) => ({ position, id, payload }))).toEqual(expected);
  expect(rows.at(-1)).toMatchObject({
    aggregatetype: 'job',
    aggregateid: 'job-5',
    tenantid: 'acme',
    type: 'eventzr.jobs.completed.v1',
    contenttype: 'application/cloudevents+json',
    correlationid: 'c-5',
    causationid: 'k-5',
    traceparent: null,
    sequence: '0000000003',
  });
  expect(rows.find(({ aggregatetype }) => aggregatetype === 'quota')).toMatchObject({
    aggregateid: 'acme',
    tenantid: 'acme',
  });
});

it('gets nothing from a writer that was replaced', async () => {
  await using set = await setUp();
  const writer = outboxWriter(set);
  const old = running((signal) => writer.write(signal, 1n));
  await appendJob(set.log, 'acme', 1);
  await outboxIsWritten(set);
  await using _new = running((signal) => writer.write(signal, 2n));
  await waitUntil('the new writer has claimed', async () => {
    const { rows } = await set.pool.query(
      `select 1 from forwarder_checkpoints where name = 'outbox' and fence = 2`,
    );
    return rows.length === 1;
  });
  await appendJob(set.log, 'acme', 2);
  await expect(old.ended).rejects.toThrow(/no longer where/);
  await outboxIsWritten(set);
  const { rows } = await set.pool.query('select count(*)::int as count from outbox');
  expect(rows).toEqual([{ count: 2 * EVENTS }]);
});

it('loses rows that have been there long enough, and no others', async () => {
  await using set = await setUp();
  await using _writing = writingOutbox(set);
  await appendInTurn(set.log, 'acme', 0, 3);
  await outboxIsWritten(set);
  await set.pool.query(
    `update outbox set insertedat = insertedat - interval '1 hour' where aggregateid <> 'job-2'`,
  );
  await using _sweeping = running((signal) => outboxWriter(set, 60_000).sweep(signal));
  const left = await waitUntil('old rows are gone', async () => {
    const { rows } = await set.pool.query('select aggregateid from outbox');
    return rows.length <= EVENTS ? rows : undefined;
  });
  expect(left).toEqual(Array.from({ length: EVENTS }, () => ({ aggregateid: 'job-2' })));
});

it('is written by a service only where it is switched on, and the API says how far', async () => {
  await using set = await setUp();
  await using off = await startServer({ DATABASE_URL: set.url });
  const key = await apiKey(set.pool, '*');
  const jobs = clientOf(off.url, await apiKey(set.pool));
  await jobs.enqueue('mail', { n: 1 });
  expect((await clientOf(off.url, key).forwarder()).outbox).toBeNull();
  await using on = await startServer({ DATABASE_URL: set.url, OUTBOX_TABLE: 'true' });
  const outbox = await waitUntil('the row is there', async () => {
    if ((await set.pool.query('select from outbox')).rows.length === 0) return undefined;
    const found = await clientOf(on.url, key).forwarder();
    return found.outbox?.lagEvents === 0 && found.outbox.status === 'live' ? found.outbox : undefined;
  });
  expect(outbox).toMatchObject({
    undelivered: 0,
    lastError: null,
    leader: expect.stringContaining(`:${on.pid}`),
  });
  const { rows } = await set.pool.query('select type, tenantid from outbox');
  expect(rows).toEqual([{ type: 'eventzr.jobs.enqueued.v1', tenantid: 'acme' }]);
});

it('is not what the view kafka_outbox shows, which says so when the log is elsewhere', async () => {
  await using set = await setUp();
  await appendJob(set.log, 'acme', 1);
  const shown = async () => (await set.pool.query('select position, topic, type from kafka_outbox')).rows;
  expect(await shown()).toHaveLength(EVENTS);
  await set.pool.query('truncate events');
  await set.pool.query(`insert into log_home (place) values ('EventStoreDB, streams eventzr.*')`);
  await set.pool.query(`insert into forwarder_checkpoints (name, position, fence) values ('kafka', 42, 1)`);
  expect(await shown()).toEqual([
    {
      position: '42',
      topic: null,
      type: 'the log is in EventStoreDB, streams eventzr.*: jobs forwarder status says what is pending',
    },
  ]);
});
