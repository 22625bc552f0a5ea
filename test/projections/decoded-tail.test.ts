import { describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { systemClock } from '../../src/adapters/system.ts';
import type { EventLog, LogPage, Position } from '../../src/commands/ports.ts';
import { DecodedTail } from '../../src/projections/decoded-tail.ts';
import { LaneReader } from '../../src/projections/lane-reader.ts';
import { running } from '../support/running.ts';
import { appendAmounts, decodeTally, tallyProjection } from '../support/tally.ts';
import { waitUntil } from '../support/wait-until.ts';

const { signal } = new AbortController();

function tailOf(log: EventLog, after: Position = 0n) {
  const unused = undefined as never;
  const environment = { pool: unused, log, decode: decodeTally, lead: unused, clock: systemClock };
  return new DecodedTail(environment, after, { prefixes: ['job-'] });
}

/** A log whose reads are counted and whose events are as heavy as said. */
function observed(log: EventLog, bytes = 0) {
  const state = { reads: 0, served: 0n };
  const heavy = (page: LogPage): LogPage => ({
    ...page,
    events: page.events.map((event) => ({ ...event, content: 'x'.repeat(bytes) as never })),
  });
  const seen: EventLog = {
    append: (requests) => log.append(requests),
    readStream: (...args) => log.readStream(...args),
    readStreams: (streams) => log.readStreams(streams),
    head: () => log.head(),
    truncate: (...args) => log.truncate(...args),
    async readLog(...args) {
      state.reads += 1;
      return heavy(await log.readLog(...args));
    },
    async *subscribe(after, options) {
      for await (const page of log.subscribe(after, { ...options, pageSize: 10 })) {
        state.served = page.position;
        yield heavy(page);
      }
    },
  };
  return { state, log: seen };
}

/** Reads until the position is reached; answers all amounts. */
async function readAmounts(reader: LaneReader, from: Position, to: Position): Promise<number[]> {
  const amounts: number[] = [];
  for (let position = from; position < to; ) {
    const batch = await reader.next(position, 7, signal, 100);
    amounts.push(...batch.events.map(({ event }) => (event.data as unknown as { amount: number }).amount));
    position = batch.position;
  }
  return amounts;
}

describe('the shared tail of the log', () => {
  it('gives every reader every event once, in order, from one subscription', async () => {
    const memory = createMemoryEventLog();
    const { log, state } = observed(memory);
    const tail = tailOf(log);
    await using _ = running((stop) => tail.run(stop));
    const readers = [1, 2, 3].map(() => new LaneReader(log, tail, tallyProjection()));
    const reading = readers.map((reader) => readAmounts(reader, 0n, 100n));
    for (let amount = 0; amount < 100; amount += 1) await appendAmounts(memory, `job${amount % 3}`, [amount]);
    const expected = Array.from({ length: 100 }, (_, amount) => amount);
    for (const amounts of await Promise.all(reading)) expect(amounts).toEqual(expected);
    expect(state.reads).toBe(0);
  });

  it('lets a reader that is behind read for itself and join when it has caught up', async () => {
    const memory = createMemoryEventLog();
    const { log, state } = observed(memory);
    await appendAmounts(
      memory,
      'a',
      Array.from({ length: 50 }, (_, amount) => amount),
    );
    const tail = tailOf(log, 50n);
    await using _ = running((stop) => tail.run(stop));
    const reader = new LaneReader(log, tail, tallyProjection());
    expect(await readAmounts(reader, 0n, 50n)).toHaveLength(50);
    const readsWhileBehind = state.reads;
    expect(readsWhileBehind).toBeGreaterThan(0);
    await appendAmounts(memory, 'a', [50, 51]);
    expect(await readAmounts(reader, 50n, 52n)).toEqual([50, 51]);
    expect(state.reads).toBe(readsWhileBehind);
  });

  it('keeps what an expected reader needs until it comes', async () => {
    const memory = createMemoryEventLog();
    // 50 events of a megabyte: more than the tail keeps for those that it does not know of.
    const { log, state } = observed(memory, 1024 * 1024);
    await appendAmounts(
      memory,
      'a',
      Array.from({ length: 50 }, (_, amount) => amount),
    );
    const tail = tailOf(log);
    const reader = new LaneReader(log, tail, tallyProjection());
    reader.expect(0n);
    await using _ = running((stop) => tail.run(stop));
    await waitUntil('the tail has read what it may hold', async () => state.served >= 20n);
    expect(await readAmounts(reader, 0n, 50n)).toHaveLength(50);
    expect(state.reads).toBe(0);
  });

  it('is not held up by a reader that stalls, which misses nothing either', async () => {
    const memory = createMemoryEventLog();
    // 100 events of a megabyte: several times what the tail holds for a slow reader.
    const { log, state } = observed(memory, 1024 * 1024);
    const tail = tailOf(log);
    const stalled = new LaneReader(log, tail, tallyProjection());
    await appendAmounts(
      memory,
      'a',
      Array.from({ length: 100 }, (_, amount) => amount),
    );
    await using _ = running((stop) => tail.run(stop));
    const first = await stalled.next(0n, 1, signal);
    const quick = new LaneReader(log, tail, tallyProjection());
    expect(await readAmounts(quick, 0n, 100n)).toHaveLength(100);
    expect(state.served).toBe(100n);
    expect(await readAmounts(stalled, first.position, 100n)).toHaveLength(99);
  });

  it('runs ahead of a slow reader by no more than it may hold', async () => {
    const memory = createMemoryEventLog();
    const { log, state } = observed(memory, 1024 * 1024);
    const tail = tailOf(log);
    await appendAmounts(
      memory,
      'a',
      Array.from({ length: 200 }, (_, amount) => amount),
    );
    const reader = new LaneReader(log, tail, tallyProjection());
    await using _ = running((stop) => tail.run(stop));
    let ahead = 0n;
    for (let position = 0n; position < 200n; ) {
      position = (await reader.next(position, 1, signal)).position;
      await new Promise(setImmediate);
      if (state.served - position > ahead) ahead = state.served - position;
    }
    expect(ahead).toBeLessThanOrEqual(50n);
    expect(ahead).toBeGreaterThan(20n);
  });
});
