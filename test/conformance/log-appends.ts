import { beforeEach, describe, expect, test } from 'vitest';
import { type AppendRequest, type EventLog, NO_STREAM } from '../../src/commands/ports.ts';
import { newEvents, readAll, streamName } from './log-events.ts';

/** Outcomes of appends. `current` gives the test's log. */
export function exerciseAppends(current: () => EventLog): void {
  let log: EventLog;
  beforeEach(() => {
    log = current();
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
      const last = new Map(all.map(({ stream, position }) => [stream, position]));
      expect(outcomes).toEqual(
        requests.map(({ stream }, index) => ({
          kind: 'appended',
          revision: index % 3,
          position: last.get(stream),
        })),
      );
    });

    test('refuses an append without events', async () => {
      await expect(append('job-a.1', NO_STREAM, [])).rejects.toThrow(TypeError);
    });

    test('answers an empty batch with nothing', async () => {
      expect(await log.append([])).toEqual([]);
    });
  });
}
