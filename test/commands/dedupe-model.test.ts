import { expect, test } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import { type EventLog, LOG_START, type StoredEvent } from '../../src/commands/ports.ts';
import type { EnqueueResult } from '../../src/commands/use-cases.ts';
import { holdsDedupeKey } from '../../src/domain/dedupe-key/holds-key.ts';
import { jobStream, parseJobStream } from '../../src/domain/job/stream.ts';
import { caller, jobRequest } from '../support/caller.ts';

/** A process that died in the middle: before its call reached the log, or before the answer reached it. */
class Crash extends Error {}

/** Random numbers that come out the same for the same seed. */
function seededRandom(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) | 0;
    return ((state >>> 8) & 0xffffff) % below;
  };
}

/** A log whose calls wait until the test lets one of them go on, or kills its caller before or after it. */
function steppedLog(log: EventLog, random: (below: number) => number, crashes: boolean) {
  const waiting: (() => Promise<void>)[] = [];
  const step = <T>(call: () => Promise<T>): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    waiting.push(async () => {
      const fate = crashes ? random(12) : 2;
      if (fate === 0) return reject(new Crash());
      const answer = await call();
      if (fate === 1) return reject(new Crash());
      resolve(answer);
    });
    return promise;
  };
  return {
    waiting,
    log: {
      ...log,
      append: (requests) => step(() => log.append(requests)),
      readStream: (stream, options) => step(() => log.readStream(stream, options)),
      readStreams: (streams) => step(() => log.readStreams(streams)),
      truncate: (stream, before) => step(() => log.truncate(stream, before)),
    } as EventLog,
  };
}

let drawn = 0;
const ids = {
  next() {
    drawn += 1;
    return `00000000-0000-7000-8000-${drawn.toString(16).padStart(12, '0')}`;
  },
  random: () => 0,
  secret: () => 's',
};
const NOW = 1_800_000_000_000;
const KEYS = ['a', 'b'];

interface World {
  readonly log: EventLog;
  readonly random: (below: number) => number;
  readonly waiting: (() => Promise<void>)[];
  readonly start: () => Promise<readonly EnqueueResult[]>;
}

function createWorld(seed: number, crashes: boolean): World {
  const random = seededRandom(seed);
  const log = createMemoryEventLog({ clock: { now: () => NOW } });
  const stepped = steppedLog(log, random, crashes);
  // Two processes: what one remembers of a key may be old news.
  const deps = { log: stepped.log, clock: { now: () => NOW }, ids };
  const processes = [createEnqueueJobs(deps), createEnqueueJobs(deps)];
  const commands: string[] = [];
  const start = () => {
    // Now and then a command that was given before is repeated, as after a crash.
    const repeat = commands.length > 0 && random(4) === 0;
    const commandId = (repeat && commands[random(commands.length)]) || ids.next();
    if (random(2) === 0 || repeat) commands.push(commandId);
    const bulk = [KEYS[0], KEYS[1], KEYS[0]].slice(0, 1 + (Number.parseInt(commandId.slice(-2), 16) % 3));
    const options = commands.includes(commandId) ? { commandId } : {};
    const enqueueJobs = processes[random(processes.length)] ?? createEnqueueJobs(deps);
    return enqueueJobs(
      caller(),
      bulk.map((dedupeKey) => jobRequest({ dedupeKey })),
      options,
    );
  };
  return { log, random, waiting: stepped.waiting, start };
}

async function jobsOf(log: EventLog) {
  const handler = createJobHandler(log);
  const { events } = await log.readLog(LOG_START, 100_000, { prefixes: ['job-'] });
  const streams = new Map<string, StoredEvent[]>();
  for (const event of events) streams.set(event.stream, [...(streams.get(event.stream) ?? []), event]);
  return [...streams].flatMap(([stream, history]) => {
    const { state } = handler.fold(history);
    if (state.status === 'none' || state.status === 'voided') return [];
    return [{ jobId: parseJobStream(stream)?.jobId ?? '', job: state }];
  });
}

async function expectOneUnfinishedPerKey(log: EventLog, seed: number): Promise<void> {
  for (const key of KEYS) {
    const alive = (await jobsOf(log)).filter(
      ({ job }) => job.dedupeKey === key && holdsDedupeKey(job.status),
    );
    expect(alive.length, `unfinished jobs with key ${key}, seed ${seed}`).toBeLessThanOrEqual(1);
  }
}

/** Somebody outside finishes one of the jobs. */
async function finishOne({ log, random }: World): Promise<void> {
  const alive = (await jobsOf(log)).filter(({ job }) => holdsDedupeKey(job.status));
  const victim = alive[random(alive.length || 1)];
  if (!victim) return;
  const stream = jobStream('acme', victim.jobId);
  const command = { type: 'CancelJob', graceMs: 0, at: NOW } as const;
  const metadata = { ...caller(), causationId: ids.next(), occurredAt: NOW };
  await createJobHandler(log).handle([{ stream, command, metadata }]);
}

/** Lets calls go on in a random order until none is left. */
async function play(
  world: World,
  seed: number,
  { callers, finishing }: { callers: number; finishing: boolean },
): Promise<readonly (readonly EnqueueResult[])[]> {
  const { log, random, waiting, start } = world;
  const answers: (readonly EnqueueResult[])[] = [];
  let running = 0;
  for (let left = callers; left > 0 || running > 0; ) {
    const move = random(10);
    if (left > 0 && (move < 2 || waiting.length === 0)) {
      left -= 1;
      running += 1;
      void start()
        .then((results) => answers.push(results))
        .catch((error: unknown) => {
          if (!(error instanceof Crash)) throw error;
        })
        .finally(() => {
          running -= 1;
        });
    } else if (finishing && move === 2) {
      await finishOne(world);
    } else {
      const [next] = waiting.splice(random(waiting.length), 1);
      await next?.();
      await expectOneUnfinishedPerKey(log, seed);
    }
    // Everything that the step made possible happens before the next one.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return answers;
}

test('no interleaving, crash or repeat gives a key two unfinished jobs', async () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const world = createWorld(seed, true);
    const answers = await play(world, seed, { callers: 8, finishing: true });
    const jobs = await jobsOf(world.log);
    for (const result of answers.flat()) {
      if (result.kind === 'refused') throw new Error(`refused: ${result.reason}, seed ${seed}`);
      expect(jobs.some(({ jobId }) => jobId === result.snapshot.jobId)).toBe(true);
    }
  }
});

test('whatever crashed before, the next enqueue with the key succeeds', async () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const world = createWorld(seed, true);
    await play(world, seed, { callers: 4, finishing: true });
    const enqueueJobs = createEnqueueJobs({ log: world.log, clock: { now: () => NOW }, ids });
    const results = await enqueueJobs(
      caller(),
      KEYS.map((dedupeKey) => jobRequest({ dedupeKey })),
    );
    for (const result of results) {
      if (result.kind === 'refused') throw new Error(`refused: ${result.reason}`);
      expect(holdsDedupeKey(result.snapshot.job.status), `seed ${seed}`).toBe(true);
    }
    await expectOneUnfinishedPerKey(world.log, seed);
  }
});

test('as long as nothing finishes, everybody gets the one job of the key, and one of them created it', async () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const world = createWorld(seed, false);
    const answers = await play(world, seed, { callers: 8, finishing: false });
    const byKey = Map.groupBy(answers.flat(), (r) =>
      r.kind === 'refused' ? 'refused' : r.snapshot.job.dedupeKey,
    );
    for (const results of byKey.values()) {
      const seen = new Set(results.map((r) => (r.kind === 'refused' ? r.reason : r.snapshot.jobId)));
      expect(seen.size, `seed ${seed}`).toBe(1);
    }
    expect(await jobsOf(world.log)).toHaveLength(byKey.size);
  }
});
