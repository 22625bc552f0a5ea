import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AppendRequest, type EventLog, LOG_START, NO_STREAM } from '../../src/commands/ports.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { collect, newEvent, newEvents, readAll, streamName } from './log-events.ts';

export interface LogUnderTest extends AsyncDisposable {
  readonly log: EventLog;
}

/** What every event log must do, whatever it is made of. `make` gives an empty log of its own. */
export function exerciseEventLog(name: string, make: () => Promise<LogUnderTest>): void {
  describe(`event log: ${name}`, () => {
    let subject: LogUnderTest;
    let log: EventLog;

    beforeEach(async () => {
      subject = await make();
      log = subject.log;
    });
    afterEach(async () => {
      await subject[Symbol.asyncDispose]();
    });

    const append = async (stream: string, expectedRevision: number, events: AppendRequest['events']) =>
      (await log.append([{ stream, expectedRevision, events }]))[0];

    describe('append', () => {
      test('numbers the events of a new stream from 0 and answers the last one', async () => {
        const outcome = await append('job-a.1', NO_STREAM, newEvents(3));

        expect(outcome).toMatchObject({ kind: 'appended', revision: 2 });
        const stored = await log.readStream('job-a.1');
        expect(stored.map(({ revision }) => revision)).toEqual([0, 1, 2]);
        expect(stored.at(-1)?.position).toBe(outcome?.kind === 'appended' && outcome.position);
      });

      test('goes on after the expected revision', async () => {
        await append('job-a.1', NO_STREAM, newEvents(2));

        expect(await append('job-a.1', 1, newEvents(2))).toMatchObject({ kind: 'appended', revision: 3 });
      });

      test.each([
        ['that the stream is missing', NO_STREAM],
        ['an older revision', 0],
        ['a later revision', 2],
        ['a far later revision', 1_000],
      ])('writes nothing when it expects %s of a stream at revision 1', async (_, expectedRevision) => {
        await append('job-a.1', NO_STREAM, newEvents(2));
        const before = await log.head();

        expect(await append('job-a.1', expectedRevision, newEvents(2))).toEqual({
          kind: 'conflict',
          actualRevision: 1,
        });
        expect(await log.readStream('job-a.1')).toHaveLength(2);
        expect((await log.readLog(before, 10)).events).toEqual([]);
      });

      test('expects an existing stream in vain when there is none', async () => {
        expect(await append('job-a.1', 0, newEvents(1))).toEqual({
          kind: 'conflict',
          actualRevision: NO_STREAM,
        });
      });

      test('gives each stream of a batch its own outcome, whole or not at all', async () => {
        await append('job-a.2', NO_STREAM, newEvents(1));

        const outcomes = await log.append([
          { stream: 'job-a.3', expectedRevision: NO_STREAM, events: newEvents(2) },
          { stream: 'job-a.2', expectedRevision: NO_STREAM, events: newEvents(3) },
          { stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(2) },
        ]);

        expect(outcomes).toMatchObject([
          { kind: 'appended', revision: 1 },
          { kind: 'conflict', actualRevision: 0 },
          { kind: 'appended', revision: 1 },
        ]);
        expect(await log.readStream('job-a.2')).toHaveLength(1);
        expect(await log.readStream('job-a.3')).toHaveLength(2);
      });

      test('writes two appends to one stream in one call in their order', async () => {
        const outcomes = await log.append([
          { stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(2, { data: '{"n":1}' }) },
          { stream: 'job-a.2', expectedRevision: NO_STREAM, events: newEvents(1) },
          { stream: 'job-a.1', expectedRevision: 1, events: newEvents(1, { data: '{"n":2}' }) },
          { stream: 'job-a.1', expectedRevision: 0, events: newEvents(1, { data: '{"n":3}' }) },
        ]);

        expect(outcomes.map((outcome) => outcome.kind)).toEqual([
          'appended',
          'appended',
          'appended',
          'conflict',
        ]);
        const stored = await log.readStream('job-a.1');
        expect(stored.map(({ data }) => data)).toEqual(['{"n":1}', '{"n":1}', '{"n":2}']);
      });

      test('answers a repeated append as it answered the first', async () => {
        const request = { stream: 'job-a.1', expectedRevision: NO_STREAM, events: newEvents(2) };
        const [first] = await log.append([request]);
        await append('job-a.1', 1, newEvents(2));

        expect(await log.append([request])).toEqual([first]);
        expect(await log.readStream('job-a.1')).toHaveLength(4);
      });

      test('takes an append of another command for a conflict, though it looks the same', async () => {
        const events = newEvents(1, { causationId: 'command-1' });
        await append('job-a.1', NO_STREAM, events);

        const other = newEvents(1, { causationId: 'command-2' });
        expect(await append('job-a.1', NO_STREAM, other)).toEqual({ kind: 'conflict', actualRevision: 0 });
      });

      test('takes a longer append of the same command for a conflict', async () => {
        await append('job-a.1', NO_STREAM, newEvents(1, { causationId: 'command-1' }));

        const longer = newEvents(2, { causationId: 'command-1' });
        expect(await append('job-a.1', NO_STREAM, longer)).toMatchObject({ kind: 'conflict' });
      });

      test('lets exactly one of 20 racing appends win each round and loses none', async () => {
        const rounds = 10;
        for (let round = 0; round < rounds; round += 1) {
          const outcomes = await Promise.all(
            Array.from({ length: 20 }, (_, racer) =>
              append('job-a.1', round - 1, newEvents(1, { data: `{"round":${round},"racer":${racer}}` })),
            ),
          );

          const winners = outcomes.flatMap((outcome, racer) => (outcome?.kind === 'appended' ? [racer] : []));
          expect(winners).toHaveLength(1);
          const last = (await log.readStream('job-a.1')).at(-1);
          expect(last).toMatchObject({ revision: round, data: `{"round":${round},"racer":${winners[0]}}` });
        }
        expect(await readAll(log)).toHaveLength(rounds);
      });

      test('writes a batch far larger than one call, in positions that grow', async () => {
        const requests = Array.from({ length: 3_000 }, (_, index) => ({
          stream: streamName(index),
          expectedRevision: NO_STREAM,
          events: newEvents(1 + (index % 3), { data: `{"index":${index}}` }),
        }));

        const outcomes = await log.append(requests);

        expect(outcomes.every(({ kind }) => kind === 'appended')).toBe(true);
        const all = await readAll(log);
        expect(all).toHaveLength(6_000);
        expect(new Set(all.map(({ position }) => position)).size).toBe(6_000);
        outcomes.forEach((outcome, index) => {
          const last = all.findLast(({ stream }) => stream === streamName(index));
          expect(outcome).toEqual({
            kind: 'appended',
            revision: index % 3,
            position: last?.position,
          });
        });
      });

      test('refuses an append without events', async () => {
        await expect(append('job-a.1', NO_STREAM, [])).rejects.toThrow(TypeError);
      });

      test('answers an empty batch with nothing', async () => {
        expect(await log.append([])).toEqual([]);
      });
    });

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
        expect((await readAll(log)).map(({ stream }) => stream)).toEqual(['job-a.1', 'job-a.1', 'job-a.2']);
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
        const head = await log.head();
        await seen.position(head);
        await withContent.position(head);

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
        const truth = (await readAll(log)).map(({ position }) => position);
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
  });
}
