import { beforeEach, describe, expect, test } from 'vitest';
import { type AppendRequest, type EventLog, LOG_START, NO_STREAM } from '../../src/commands/ports.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import type { LogUnderTest } from './event-log.ts';
import { newEvent, newEvents, readAll } from './log-events.ts';

/** What comes back, by stream and over the whole log. `current` gives the test's subject. */
export function exerciseReads(current: () => LogUnderTest): void {
  let log: EventLog;
  beforeEach(() => {
    log = current().log;
  });
  const append = async (stream: string, expectedRevision: number, events: AppendRequest['events']) =>
    (await log.append([{ stream, expectedRevision, events }]))[0];

  describe('events', () => {
    test('come back as they were given, byte for byte', async () => {
      const content = asJsonText(
        '{ "b":1.10,  "a":12345678901234567890,"s":"line\\nbreak \\u0000 é 漢 🎉 \\"{,}\\\\","n":null,"":[] }',
      );
      const event = newEvent({ data: '{"error":"{\\"a\\",\\\\N NULL é 🎉"}', content, schemaVersion: 7 });
      await append('job-a.1', NO_STREAM, [event, newEvent(), newEvent({ content: asJsonText('null') })]);

      const stored = await log.readStream('job-a.1');
      expect(stored[0]).toMatchObject({ ...event, stream: 'job-a.1', revision: 0 });
      expect(stored[1]?.content).toBeUndefined();
      expect(stored[2]?.content).toBe('null');
      expect(typeof stored[0]?.position).toBe('bigint');
      expect(stored[0]?.recordedAt).toBeGreaterThan(Date.UTC(2020));
    });

    test('keep large content whole', async () => {
      const content = asJsonText(JSON.stringify('漢'.repeat(256 * 1024)));
      await append('job-a.1', NO_STREAM, [newEvent({ content })]);

      expect((await log.readStream('job-a.1'))[0]?.content).toBe(content);
    });

    test('stay apart when a line break strays into one', async () => {
      await log.append([
        { stream: 'job-a.1', expectedRevision: NO_STREAM, events: [newEvent({ data: '{\n"a":1}' })] },
        {
          stream: 'job-a.2',
          expectedRevision: NO_STREAM,
          events: [newEvent({ content: asJsonText('[1,\r\n2]') })],
        },
      ]);

      const [first, second] = await readAll(log);
      expect(JSON.parse(first?.data ?? '')).toEqual({ a: 1 });
      expect(JSON.parse(second?.content ?? '')).toEqual([1, 2]);
    });
  });

  describe('reading streams', () => {
    beforeEach(async () => {
      await append('job-a.1', NO_STREAM, newEvents(5));
      await append('job-a.2', NO_STREAM, newEvents(2));
    });

    test.each([
      [{}, [0, 1, 2, 3, 4]],
      [{ fromRevision: 3 }, [3, 4]],
      [{ limit: 2 }, [0, 1]],
      [{ fromRevision: 1, limit: 2 }, [1, 2]],
      [{ fromRevision: 9 }, []],
      [{ direction: 'backwards' as const }, [4, 3, 2, 1, 0]],
      [{ direction: 'backwards' as const, limit: 1 }, [4]],
      [{ direction: 'backwards' as const, fromRevision: 2 }, [2, 1, 0]],
      [{ direction: 'backwards' as const, fromRevision: 2, limit: 2 }, [2, 1]],
    ])('reads with %j the revisions %j', async (options, revisions) => {
      const events = await log.readStream('job-a.1', options);
      expect(events.map(({ revision }) => revision)).toEqual(revisions);
    });

    test('reads a missing stream as empty', async () => {
      expect(await log.readStream('job-a.9')).toEqual([]);
    });

    test('reads many streams at once and leaves out the missing ones', async () => {
      const streams = await log.readStreams(['job-a.2', 'job-a.9', 'job-a.1']);

      expect([...streams.keys()].sort()).toEqual(['job-a.1', 'job-a.2']);
      expect(streams.get('job-a.1')?.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
      expect(streams.get('job-a.2')).toHaveLength(2);
      expect(await log.readStreams([])).toEqual(new Map());
    });
  });

  describe('reading the log', () => {
    beforeEach(async () => {
      for (const name of ['job-a.1', 'queue-a.x', 'job-b.1', 'job-a.2', 'job-ab.1']) {
        await append(name, NO_STREAM, [newEvent({ content: asJsonText('"body"') })]);
      }
    });

    test('answers all events in the order they were written', async () => {
      const { events, position, caughtUp } = await log.readLog(LOG_START, 100);

      expect(events.map(({ stream }) => stream)).toEqual([
        'job-a.1',
        'queue-a.x',
        'job-b.1',
        'job-a.2',
        'job-ab.1',
      ]);
      expect(position).toBe(await log.head());
      expect(caughtUp).toBe(true);
    });

    test('answers pages that follow each other', async () => {
      const first = await log.readLog(LOG_START, 2);
      const second = await log.readLog(first.position, 2);
      const third = await log.readLog(second.position, 2);

      expect(first.caughtUp).toBe(false);
      expect([...first.events, ...second.events, ...third.events]).toHaveLength(5);
      expect(third.caughtUp).toBe(true);
    });

    test('answers only streams with one of the prefixes, and moves past the others', async () => {
      const page = await log.readLog(LOG_START, 100, { prefixes: ['job-a.', 'queue-'] });

      expect(page.events.map(({ stream }) => stream)).toEqual(['job-a.1', 'queue-a.x', 'job-a.2']);
      expect(page.position).toBe(await log.head());
      expect(page.caughtUp).toBe(true);
    });

    test('moves on when nothing matches', async () => {
      const page = await log.readLog(LOG_START, 1, { prefixes: ['dedupe-'] });

      expect(page).toEqual({ events: [], position: await log.head(), caughtUp: true });
    });

    test('leaves the content out on request', async () => {
      const { events } = await log.readLog(LOG_START, 100, { withoutContent: true });

      expect(events).toHaveLength(5);
      expect(events.every(({ content }) => content === undefined)).toBe(true);
    });

    test('answers nothing after the head', async () => {
      const head = await log.head();

      expect(await log.readLog(head, 10)).toEqual({ events: [], position: head, caughtUp: true });
      expect(await log.readLog(head + 1_000n, 10)).toMatchObject({ events: [], caughtUp: true });
    });
  });

  describe('truncate', () => {
    test('forgets what lies below the revision', async () => {
      await append('job-a.1', NO_STREAM, newEvents(5));
      await append('job-a.2', NO_STREAM, newEvents(1));

      await log.truncate('job-a.1', 3);

      const left = await log.readStream('job-a.1');
      expect(left.map(({ revision }) => revision)).toEqual([3, 4]);
      const all = (await readAll(log)).map(({ stream, revision }) => `${stream} ${revision}`);
      const gone = ['job-a.1 0', 'job-a.1 1', 'job-a.1 2'];
      const kept = ['job-a.1 3', 'job-a.1 4', 'job-a.2 0'];
      expect(all).toEqual(current().truncatedStaysInLog ? [...gone, ...kept] : kept);
    });

    test('always keeps the last event, so that the revision goes on', async () => {
      await append('job-a.1', NO_STREAM, newEvents(3));

      await log.truncate('job-a.1', 1_000);

      expect((await log.readStream('job-a.1')).map(({ revision }) => revision)).toEqual([2]);
      expect(await append('job-a.1', NO_STREAM, newEvents(1))).toEqual({
        kind: 'conflict',
        actualRevision: 2,
      });
      expect(await append('job-a.1', 2, newEvents(1))).toMatchObject({ kind: 'appended', revision: 3 });
    });

    test('leaves a missing stream missing', async () => {
      await log.truncate('job-a.1', 5);

      expect(await log.readStream('job-a.1')).toEqual([]);
    });
  });
}
