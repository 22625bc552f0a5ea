import { beforeEach, describe, expect, test } from 'vitest';
import { type AppendRequest, type EventLog, LOG_START, NO_STREAM } from '../../src/commands/ports.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { collect, newEvent, newEvents, readAll, streamName } from './log-events.ts';

/** From any position through caught-up to live. `current` gives the test's log. */
export function exerciseSubscriptions(current: () => EventLog): void {
  let log: EventLog;
  beforeEach(() => {
    log = current();
  });
  const append = async (stream: string, expectedRevision: number, events: AppendRequest['events']) =>
    (await log.append([{ stream, expectedRevision, events }]))[0];

  describe('subscribe', () => {
    test('goes from the start through caught-up to live', async () => {
      await append('job-a.1', NO_STREAM, newEvents(5));
      await using seen = collect(log, LOG_START, { pageSize: 2 });

      await seen.caughtUp();
      expect(seen.events).toHaveLength(5);
      await append('job-a.1', 4, newEvents(2));
      await seen.count(7);

      expect(seen.events.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect(seen.pages.every(({ events }) => events.length <= 2)).toBe(true);
      expect(seen.pages.filter(({ events }) => events.length === 0).every((page) => page.caughtUp)).toBe(
        true,
      );
    });

    test('says at once that an empty log is caught up', async () => {
      await using seen = collect(log, LOG_START);

      await seen.caughtUp();
      expect(seen.pages).toEqual([{ events: [], position: await log.head(), caughtUp: true }]);
    });

    test('starts after any position', async () => {
      await append('job-a.1', NO_STREAM, newEvents(5));
      const middle = (await log.readStream('job-a.1'))[2]?.position ?? LOG_START;
      await using seen = collect(log, middle);
      await using onlyNew = collect(log, await log.head());

      await onlyNew.caughtUp();
      await append('job-a.1', 4, newEvents(1));
      await seen.count(3);
      await onlyNew.count(1);

      expect(seen.events.map(({ revision }) => revision)).toEqual([3, 4, 5]);
      expect(onlyNew.events.map(({ revision }) => revision)).toEqual([5]);
    });

    test('delivers only matching streams, and the position moves past the others', async () => {
      await append('queue-a.x', NO_STREAM, [newEvent({ content: asJsonText('1') })]);
      await using seen = collect(log, LOG_START, { prefixes: ['queue-'], withoutContent: true });
      await using withContent = collect(log, LOG_START, { prefixes: ['queue-'] });
      await seen.caughtUp();
      await withContent.caughtUp();

      await append('job-a.1', NO_STREAM, newEvents(2));
      await append('queue-a.x', 0, [newEvent({ content: asJsonText('2') })]);
      await append('job-a.2', NO_STREAM, newEvents(2));
      const last = (await log.readStream('job-a.2')).at(-1)?.position ?? LOG_START;
      await seen.position(last);
      await withContent.position(last);

      expect(seen.events.map(({ stream }) => stream)).toEqual(['queue-a.x', 'queue-a.x']);
      expect(seen.events.map(({ content }) => content)).toEqual([undefined, undefined]);
      expect(withContent.events.map(({ content }) => content)).toEqual(['1', '2']);
    });

    test('delivers everything once and in order to each of many subscribers while many write', async () => {
      const collectors = Array.from({ length: 5 }, () => collect(log, LOG_START, { pageSize: 50 }));
      const streams = 300;
      await Promise.all(
        Array.from({ length: streams }, async (_, index) => {
          await append(streamName(index), NO_STREAM, newEvents(2));
          await append(streamName(index), 1, newEvents(1));
        }),
      );
      const truth = (await readAll(log, streams * 3)).map(({ position }) => position);
      expect(truth).toHaveLength(streams * 3);

      for (const seen of collectors) {
        await seen.count(streams * 3);
        expect(seen.events.map(({ position }) => position)).toEqual(truth);
        await seen[Symbol.asyncDispose]();
      }
    });

    test('ends when its signal aborts, also when it aborted before', async () => {
      await append('job-a.1', NO_STREAM, newEvents(1));
      const seen = collect(log, LOG_START);
      await seen.caughtUp();
      await seen[Symbol.asyncDispose]();
      await append('job-a.1', 0, newEvents(1));

      expect(seen.ended).toBe(true);
      expect(seen.events).toHaveLength(1);
      const never: unknown[] = [];
      for await (const page of log.subscribe(LOG_START, { signal: AbortSignal.abort() })) never.push(page);
      expect(never).toEqual([]);
    });

    test('ends quietly when its reader leaves', async () => {
      await append('job-a.1', NO_STREAM, newEvents(3));
      const { signal } = new AbortController();
      for await (const page of log.subscribe(LOG_START, { signal, pageSize: 1 })) {
        expect(page.events).toHaveLength(1);
        break;
      }
      expect(await append('job-a.1', 2, newEvents(1))).toMatchObject({ kind: 'appended' });
    });
  });
}
