import type { EventLog } from '../../src/commands/ports.ts';

/** A process that died in the middle: before its call reached the log, or before the answer reached it. */
export class Crash extends Error {}

/** Random numbers that come out the same for the same seed. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) | 0;
    return ((state >>> 8) & 0xffffff) % below;
  };
}

export interface SteppedLog {
  readonly log: EventLog;
  /** Calls that wait to go on. */
  readonly waiting: (() => Promise<void>)[];
}

/** A log whose calls wait until the test lets one of them go on, or kills its caller before or after it. */
export function steppedLog(log: EventLog, dies: () => 'before' | 'after' | undefined): SteppedLog {
  const waiting: (() => Promise<void>)[] = [];
  const step = <T>(call: () => Promise<T>): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    waiting.push(async () => {
      const death = dies();
      if (death === 'before') return reject(new Crash());
      const answer = await call();
      if (death === 'after') return reject(new Crash());
      resolve(answer);
    });
    return promise;
  };
  return {
    waiting,
    log: {
      append: (requests) => step(() => log.append(requests)),
      readStream: (stream, options) => step(() => log.readStream(stream, options)),
      readStreams: (streams) => step(() => log.readStreams(streams)),
      readLog: (after, limit, filter) => log.readLog(after, limit, filter),
      subscribe: (after, options) => log.subscribe(after, options),
      head: () => log.head(),
      truncate: (stream, before) => step(() => log.truncate(stream, before)),
    },
  };
}
