import type { EventLog } from '../../src/commands/ports.ts';
import { newEvent } from '../conformance/log-events.ts';

export interface Writers {
  acknowledged(): number;
  /** Nothing has been acknowledged since the last look. */
  stalled(): boolean;
  /** What was acknowledged, by stream. */
  end(): Promise<ReadonlyMap<string, readonly string[]>>;
}

/** Each writes one event after another to a stream of its own, and repeats what was left open. */
export function startWriters(log: EventLog, count: number): Writers {
  const written = new Map<string, string[]>();
  let acknowledged = 0;
  let seen = -1;
  let running = true;
  const writers = Array.from({ length: count }, async (_, writer) => {
    const stream = `job-load.${writer}`;
    const events: string[] = [];
    written.set(stream, events);
    while (running) {
      const data = `{"n":${events.length}}`;
      const request = {
        stream,
        expectedRevision: events.length - 1,
        events: [newEvent({ data, causationId: `${stream}-${events.length}` })],
      };
      const [outcome] = await log.append([request]);
      if (outcome?.kind !== 'appended') throw new Error(`${stream} met a conflict`);
      events.push(data);
      acknowledged += 1;
    }
  });
  return {
    acknowledged: () => acknowledged,
    stalled() {
      const stalled = seen === acknowledged;
      seen = acknowledged;
      return stalled;
    },
    async end() {
      running = false;
      await Promise.all(writers);
      return written;
    },
  };
}
