import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createEventStoreDbLog,
  type EventStoreDbLog,
  type EventStoreDbLogOptions,
} from '../../src/adapters/eventstoredb/event-log.ts';
import { LOG_START, NO_STREAM } from '../../src/commands/ports.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { collect, newEvent, newEvents, readAll } from '../conformance/log-events.ts';
import { countingMetrics } from '../conformance/writers.ts';
import { FaultyLink } from '../support/eventstoredb/faulty-link.ts';
import { EventStoreDbServer } from '../support/eventstoredb/server.ts';
import { startWriters } from '../support/log-writers.ts';
import { waitUntil } from '../support/wait-until.ts';

describe('the event log in EventStoreDB, in trouble', () => {
  let server: EventStoreDbServer;
  let link: FaultyLink;
  const logs: EventStoreDbLog[] = [];

  beforeEach(async () => {
    server = await EventStoreDbServer.start();
    link = await FaultyLink.to(server.port);
  });
  afterEach(async () => {
    link.heal();
    await Promise.all(logs.splice(0).map((log) => log.close()));
    await link[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const open = (options: Partial<EventStoreDbLogOptions> = {}): EventStoreDbLog => {
    const log = createEventStoreDbLog({ connectionString: link.url, ...options });
    logs.push(log);
    return log;
  };
  /** Another process, whose connection is sound. */
  const openElsewhere = () => open({ connectionString: server.url });

  test('loses and doubles nothing while the server is stopped and started under load', async () => {
    const log = open();
    await using seen = collect(log, LOG_START);
    const load = startWriters(log, 32);
    for (let stop = 1; stop <= 3; stop += 1) {
      await waitUntil('events are written', () => load.acknowledged() > stop * 500);
      server.stop();
      await waitUntil('writers notice', () => load.stalled());
      await server.start();
    }
    await waitUntil('events are written again', () => load.acknowledged() > 2_500);
    const written = await load.end();

    for (const [stream, expected] of written) {
      const events = await log.readStream(stream);
      expect(events.map(({ data }) => data)).toEqual(expected);
    }
    const all = await readAll(log);
    expect(all).toHaveLength([...written.values()].flat().length);
    await seen.count(all.length);
    expect(seen.events.map(({ position }) => position)).toEqual(all.map(({ position }) => position));
  });

  test('settles an append whose answer comes after the deadline, and goes on by another connection', async () => {
    const metrics = countingMetrics();
    const log = open({ callTimeoutMs: 2_000, metrics });
    await log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) }]);
    link.holdAnswers();
    const late = log.append([{ stream: 'job-a.1', expectedRevision: 0, events: newEvents(2) }]);
    await waitUntil('it is written', () => server.streams.all.length === 3);
    await waitUntil('the client is replaced', () => metrics.counted('event_log_connections_replaced') > 0);
    link.heal();

    expect(await late).toMatchObject([{ kind: 'appended', revision: 2 }]);
    expect(await log.readStream('job-a.1')).toHaveLength(3);
    expect(server.streams.all).toHaveLength(3);
    expect(
      await log.append([{ stream: 'job-a.1', expectedRevision: 2, events: newEvents(1) }]),
    ).toMatchObject([{ kind: 'appended' }]);
  });

  test('has connections of their own for appends, for reads and for what is live', async () => {
    const log = open();
    await log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) }]);
    await using seen = collect(log, LOG_START);
    await seen.caughtUp();

    await waitUntil('three are open', () => link.connections === 3);
  });

  test('writes and reads again while the connections that it had are silent', async () => {
    const log = open({ callTimeoutMs: 500, readTimeoutMs: 500 });
    const first = { stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) };
    await log.append([first]);
    await log.readStream('job-a.1');
    link.freeze();

    const second = { stream: 'job-a.1', expectedRevision: 0, events: newEvents(1) };
    expect(await log.append([second])).toMatchObject([{ kind: 'appended', revision: 1 }]);
    await expect(log.readStream('job-a.1')).rejects.toMatchObject({ code: 'log_unavailable' });
    expect(await log.readStream('job-a.1')).toHaveLength(2);
  });

  test('opens few connections to a server that accepts them and says nothing', async () => {
    const log = open({ callTimeoutMs: 300, settleTimeoutMs: 3_000 });
    const first = { stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) };
    await log.append([first]);
    link.holdAnswers();
    const second = { stream: 'job-a.1', expectedRevision: 0, events: newEvents(1) };
    await expect(log.append([second])).rejects.toMatchObject({ code: 'log_unavailable' });

    expect(link.connections).toBeLessThanOrEqual(2);
  });

  test('knows its own append though others wrote after it before the answer was lost', async () => {
    const log = open();
    const elsewhere = openElsewhere();
    await log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) }]);
    link.holdAnswers();
    const lost = log.append([{ stream: 'job-a.1', expectedRevision: 0, events: newEvents(1) }]);
    await waitUntil('it is written', () => server.streams.all.length === 2);
    await elsewhere.append([{ stream: 'job-a.1', expectedRevision: 1, events: newEvents(2) }]);
    link.heal();
    link.cut();

    const [outcome] = await lost;
    const stored = await elsewhere.readStream('job-a.1');
    expect(stored).toHaveLength(4);
    expect(outcome).toEqual({ kind: 'appended', revision: 1, position: stored[1]?.position });
  });

  test('takes an append that never arrived for a conflict when somebody else was faster', async () => {
    const log = open();
    const elsewhere = openElsewhere();
    await log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) }]);
    link.holdRequests();
    const lost = log.append([{ stream: 'job-a.1', expectedRevision: 0, events: newEvents(1) }]);
    await elsewhere.append([{ stream: 'job-a.1', expectedRevision: 0, events: newEvents(2) }]);
    link.cut();
    link.heal();

    expect(await lost).toEqual([{ kind: 'conflict', actualRevision: 2 }]);
  });

  test('says that an outcome is not known when the server stays away, and works again after', async () => {
    const log = open({ settleTimeoutMs: 3_000 });
    link.refuse();
    const request = { stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) };
    await expect(log.append([request])).rejects.toMatchObject({ code: 'log_unavailable' });

    link.heal();
    expect(await log.append([request])).toMatchObject([{ kind: 'appended', revision: 0 }]);
  });

  test('gives up a read from a server that hangs', async () => {
    const log = open({ readTimeoutMs: 2_000 });
    await log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) }]);
    link.holdAnswers();
    await expect(log.readStream('job-a.1')).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(log.readLog(LOG_START, 10)).rejects.toMatchObject({ code: 'log_unavailable' });

    link.heal();
    expect(await log.readStream('job-a.1')).toHaveLength(1);
  });

  test('refuses appends when too much is waiting, and takes them again when it is written', async () => {
    const log = open({ maxPendingEvents: 10 });
    await log.head();
    link.holdAnswers();
    const waiting = log.append(
      Array.from({ length: 10 }, () => ({
        stream: `job-a.${randomUUID()}`,
        expectedRevision: NO_STREAM,
        events: newEvents(1),
      })),
    );
    const more = { stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(1) };
    await expect(log.append([more])).rejects.toMatchObject({ code: 'log_overloaded' });

    link.heal();
    expect(await waiting).toHaveLength(10);
    expect(await log.append([more])).toMatchObject([{ kind: 'appended' }]);
  });

  test('refuses an append that is larger than the server takes, and nothing else', async () => {
    const log = open();
    const large = newEvent({ content: asJsonText(JSON.stringify('x'.repeat(1024 * 1024))) });
    const [refused, accepted] = await Promise.allSettled([
      log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: [large] }]),
      log.append([{ stream: 'job-a.2', expectedRevision: NO_STREAM, events: newEvents(1) }]),
    ]);

    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'append_too_large' } });
    expect(accepted).toMatchObject({ status: 'fulfilled' });
    expect(server.streams.all).toHaveLength(1);
  });

  test.each([
    ['drops a slow reader', () => server.dropSubscriptions()],
    ['loses its connections', () => link.cut()],
  ])('resumes a subscription without gap or repeat after the server %s', async (_, fail) => {
    const log = open();
    await using seen = collect(log, LOG_START);
    await seen.caughtUp();
    for (let round = 0; round < 5; round += 1) {
      await log.append([{ stream: `job-a.${round}`, expectedRevision: NO_STREAM, events: newEvents(20) }]);
      fail();
      await openElsewhere().append([
        { stream: `job-b.${round}`, expectedRevision: NO_STREAM, events: newEvents(20) },
      ]);
      await seen.count((round + 1) * 40);
    }

    const truth = server.streams.all.map(({ position }) => position);
    expect(seen.events.map(({ position }) => position)).toEqual(truth);
  });

  test('loses nothing of a subscriber that is far slower than the writers', async () => {
    const log = open();
    const stop = new AbortController();
    const positions: bigint[] = [];
    const gate = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const page of log.subscribe(LOG_START, { signal: stop.signal })) {
        positions.push(...page.events.map(({ position }) => position));
        // Waits with its first page in hand until everything is written.
        if (positions.length > 0) await gate.promise;
      }
    })();
    for (let round = 0; round < 30; round += 1) {
      await log.append([{ stream: `job-a.${round}`, expectedRevision: NO_STREAM, events: newEvents(400) }]);
    }
    gate.resolve();
    await waitUntil('all was read', () => positions.length >= 12_000);
    stop.abort();
    await reading;

    expect(positions).toEqual(server.streams.all.map(({ position }) => position));
  });

  test('shares the database with others: passes over their events, also in a new subscription', async () => {
    const log = open();
    const others = EventStoreDBClient.connectionString(server.url);
    const theirs = (count: number) =>
      Array.from({ length: count }, (_, n) => jsonEvent({ type: 'Other', data: { n } }));
    await others.appendToStream('orders-1', theirs(3_000));
    await others.appendToStream('eventzr.stray', theirs(1));
    await log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(2) }]);
    await using seen = collect(log, LOG_START);
    await seen.count(2);
    await others.appendToStream('orders-1', theirs(3_000));
    expect(await log.head()).toBe(seen.events[1]?.position);
    await waitUntil('its subscription was dropped', () => server.dropSubscriptions() > 0);
    await log.append([{ stream: 'job-a.2', expectedRevision: NO_STREAM, events: newEvents(1) }]);
    await seen.count(3);

    expect(seen.events.map(({ stream }) => stream)).toEqual(['job-a.1', 'job-a.1', 'job-a.2']);
    const position = seen.events[2]?.position;
    expect(await log.head()).toBe(position);
    expect(await log.readLog(LOG_START, 10)).toMatchObject({ events: seen.events, position });
    await others.dispose();
  });

  test('knows the end of the log without being told', async () => {
    server.saysCaughtUp = false;
    const log = open();
    for (const name of ['job-a.1', 'job-b.1', 'queue-a.x', 'job-b.2']) {
      await log.append([{ stream: name, expectedRevision: NO_STREAM, events: newEvents(2) }]);
    }
    const head = await log.head();

    for (const reader of [log, openElsewhere()]) {
      expect(await reader.readLog(LOG_START, 100, { prefixes: ['job-a.'] })).toMatchObject({
        events: [{ stream: 'job-a.1' }, { stream: 'job-a.1' }],
        position: head,
        caughtUp: true,
      });
      expect(await readAll(reader)).toHaveLength(8);
    }
    await using seen = collect(log, LOG_START, { prefixes: ['queue-'] });
    await seen.caughtUp();
    expect(seen.events).toHaveLength(2);
  });

  test('keeps what else is set for a stream that it truncates, and never truncates less', async () => {
    const log = open();
    await log.append([{ stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(5) }]);
    const others = EventStoreDBClient.connectionString(server.url);
    await others.setStreamMetadata('eventzr.job-a.1', { maxCount: 1_000, owner: 'a person' });
    await log.truncate('job-a.1', 3);
    await log.truncate('job-a.1', 2);

    const { metadata } = await others.getStreamMetadata('eventzr.job-a.1');
    expect(metadata).toEqual({ maxCount: 1_000, owner: 'a person', truncateBefore: 3 });
    await others.dispose();
  });
});
