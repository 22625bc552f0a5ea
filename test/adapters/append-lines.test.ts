import { describe, expect, it } from 'vitest';
import { AppendLines, type WaitingAppend } from '../../src/adapters/event-log/append-lines.ts';
import { newEvent } from '../conformance/log-events.ts';

const ROOM = { events: 500, bytes: 1024 * 1024 };
const SHARED = { enqueued: () => undefined, hasOthers: () => true };

const append = (stream: string, expectedRevision = -1): WaitingAppend => ({
  request: {
    stream,
    expectedRevision,
    events: [newEvent()],
  },
  bytes: 100,
});

const jobs = (tenantId: string, count: number): readonly WaitingAppend[] =>
  Array.from({ length: count }, (_, n) => append(`job-${tenantId}.${n}`));

const streams = (items: readonly WaitingAppend[]) => items.map(({ request }) => request.stream);

function given(items: readonly WaitingAppend[], activity?: typeof SHARED): AppendLines<WaitingAppend> {
  const lines = new AppendLines<WaitingAppend>(activity);
  for (const item of items) lines.add(item);
  return lines;
}

describe('appends that wait', () => {
  it('of a tenant with few are not behind thousands of another', () => {
    const lines = given([...jobs('flood', 5_000), ...jobs('small', 3)]);
    const { items } = lines.take(ROOM, 0);
    expect(items).toHaveLength(500);
    expect(streams(items)).toEqual(expect.arrayContaining(streams(jobs('small', 3))));
  });

  it('of jobs that run are not behind those of jobs that come', () => {
    const lines = given([...jobs('acme', 5_000), append('job-acme.running', 1)]);
    expect(streams(lines.take(ROOM, 0).items)).toContain('job-acme.running');
  });

  it('share a call by turns, and who was last begins the next', () => {
    const lines = given([...jobs('a', 9), ...jobs('b', 9), ...jobs('c', 9)]);
    const calls = [1, 2, 3, 4].map(() => streams(lines.take({ ...ROOM, events: 4 }, 0).items));
    expect(calls).toEqual([
      ['job-a.0', 'job-b.0', 'job-c.0', 'job-a.1'],
      ['job-b.1', 'job-c.1', 'job-a.2', 'job-b.2'],
      ['job-c.2', 'job-a.3', 'job-b.3', 'job-c.3'],
      ['job-a.4', 'job-b.4', 'job-c.4', 'job-a.5'],
    ]);
  });

  it('go out in the order in which their tenant made them', () => {
    const lines = given(jobs('acme', 1_200));
    const gone = [1, 2, 3].flatMap(() => streams(lines.take(ROOM, 0).items));
    expect(gone).toEqual(streams(jobs('acme', 1_200)));
    expect(lines.readyInMs(0)).toBeUndefined();
  });

  it('go out one at least, however large, and none that do not fit behind it', () => {
    const lines = given([{ ...append('job-a.1'), bytes: 9_000_000 }, append('job-a.2')]);
    expect(streams(lines.take(ROOM, 0).items)).toEqual(['job-a.1']);
    expect(streams(lines.take(ROOM, 0).items)).toEqual(['job-a.2']);
  });

  it('are told apart by tenant whatever their streams are of', () => {
    const asked = new Set<string>();
    const begun = new Map<string, number>();
    const lines = new AppendLines<WaitingAppend>({
      enqueued: (tenantId, count) => begun.set(tenantId, count),
      hasOthers: (tenantId) => asked.add(tenantId).size < 0,
    });
    for (const stream of ['job-acme.1', 'quota-acme', 'queue-acme.mail', 'dedupe-acme.5f']) {
      lines.add(append(stream));
    }
    lines.add(append('job-idle.1', 3));
    lines.take(ROOM, 0);
    expect(begun).toEqual(new Map([['acme', 4]]));
    expect(asked).toEqual(new Set(['acme']));
  });
});

describe('a tenant that begins many streams while others begin a few', () => {
  it('does it in small calls, one at a time, with rests twice as long', () => {
    const lines = given(jobs('flood', 250), SHARED);
    const first = lines.take(ROOM, 1_000);
    expect(first.items).toHaveLength(100);
    expect(lines.readyInMs(1_000)).toBeUndefined();
    expect(lines.take(ROOM, 1_000).items).toEqual([]);
    lines.returned(first, 15, 1_015);
    expect(lines.readyInMs(1_015)).toBe(30);
    expect(lines.take(ROOM, 1_044).items).toEqual([]);
    expect(lines.take(ROOM, 1_045).items).toHaveLength(100);
  });

  it('does not rest for long however slow the log is', () => {
    const lines = given(jobs('flood', 250), SHARED);
    lines.returned(lines.take(ROOM, 0), 8_000, 8_000);
    expect(lines.readyInMs(8_000)).toBe(250);
  });

  it('holds up neither the others nor its own jobs that run', () => {
    const lines = given(jobs('flood', 250), SHARED);
    lines.take(ROOM, 0);
    lines.add(append('job-flood.0', 0));
    lines.add(append('job-small.0'));
    expect(lines.readyInMs(0)).toBe(0);
    expect(streams(lines.take(ROOM, 0).items)).toEqual(['job-flood.0', 'job-small.0']);
  });

  it('goes on at once with few', () => {
    const lines = given(jobs('few', 19), SHARED);
    lines.returned(lines.take(ROOM, 0), 15, 15);
    lines.add(append('job-few.20'));
    expect(lines.readyInMs(15)).toBe(0);
  });

  it('takes all the room again when the others are gone', () => {
    let shared = true;
    const lines = given(jobs('flood', 700), { ...SHARED, hasOthers: () => shared });
    const call = lines.take(ROOM, 0);
    shared = false;
    lines.returned(call, 10, 10);
    expect(lines.take(ROOM, 30).items).toHaveLength(500);
    expect(lines.take(ROOM, 30).items).toHaveLength(100);
  });
});
