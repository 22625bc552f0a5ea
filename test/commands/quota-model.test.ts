import { expect, test } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { createPostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { prepareProjections } from '../../src/projections/prepare.ts';
import { quotaUsageProjection } from '../../src/projections/quota-usage.ts';
import { countingInMemory, countingInPostgres } from '../support/counting.ts';
import { createDatabase } from '../support/database.ts';
import { QuotaWorld, type WorldOptions } from '../support/quota-world.ts';
import { Crash, seededRandom } from '../support/stepped-log.ts';

interface Play {
  readonly seed: number;
  readonly callers: number;
  /** Limits change, finished jobs come back, a tenant starts without limits. */
  readonly turbulent: boolean;
}

const LIMITS = [
  { unfinishedJobs: 3 },
  { unfinishedJobs: 8 },
  { unfinishedJobs: 1 },
  { jobsPerDay: 6 },
  { unfinishedJobs: 5, jobsPerDay: 20 },
  {},
] as const;

/** Hundreds of plays. */
const PATIENT = { timeout: 400_000 };
const CLOCK_STEPS = [40, 60, 1_500, 61_000];

/** Lets calls go on in a random order until none is left; everything that may be said at any time holds after each. */
async function play(options: WorldOptions, { seed, callers, turbulent }: Play): Promise<QuotaWorld> {
  const { random, clock } = options;
  const world = new QuotaWorld(options);
  let running = 0;
  const begin = (call: Promise<unknown>) => {
    running += 1;
    void call
      .catch((error: unknown) => {
        if (!(error instanceof Crash)) failures.push(error);
      })
      .finally(() => {
        running -= 1;
      });
  };
  const failures: unknown[] = [];
  if (!turbulent || random(2) === 0) await world.limit({ unfinishedJobs: 4 });
  for (let left = callers; left > 0 || running > 0 || world.waiting.length > 0; ) {
    const move = random(24);
    if (left > 0 && (move < 4 || world.waiting.length === 0)) {
      left -= 1;
      begin(world.enqueue());
    } else if (move === 4) begin(world.settle());
    else if (move === 5) begin(world.fence());
    else if (move < 9) await world.counting.count(1 + random(6));
    else if (move < 11) await world.finish();
    else if (move === 11) clock.now += CLOCK_STEPS[random(CLOCK_STEPS.length)] ?? 0;
    else if (move === 12 && turbulent) await world.revive();
    else if (move === 13 && turbulent) await world.limit(LIMITS[random(LIMITS.length)] ?? {});
    else {
      const [next] = world.waiting.splice(random(world.waiting.length || 1), 1);
      await next?.();
    }
    // Everything that the step made possible happens before the next one.
    await new Promise((resolve) => setImmediate(resolve));
    if (failures.length > 0) throw failures[0];
    await expectHeld(world, seed, turbulent);
  }
  return world;
}

async function expectHeld({ truth }: QuotaWorld, seed: number, turbulent: boolean): Promise<void> {
  await truth.look();
  const { unfinished, outstanding, held, excesses } = truth;
  expect(excesses, `reservations above a limit, seed ${seed}`).toEqual([]);
  // Without a quota nothing is held.
  if (truth.carried)
    expect(held, `slots held, seed ${seed}`).toBeGreaterThanOrEqual(unfinished + outstanding.length);
  if (!turbulent) expect(unfinished, `unfinished jobs, seed ${seed}`).toBeLessThanOrEqual(4);
}

/** Each slot that was taken was released exactly once, or is that of a job which is not finished. */
async function expectExact(world: QuotaWorld, seed: number): Promise<void> {
  await world.rest();
  const { truth, counting } = world;
  await truth.look();
  const { folded, carried } = await counting.total();
  const real = truth.unfinished;
  expect(
    { carried: truth.carried?.unfinished, folded: truth.folded, row: carried, rowFolded: folded },
    `seed ${seed}`,
  ).toEqual({ carried: real, folded: real, row: real, rowFolded: real });
}

const START = Date.UTC(2026, 4, 4, 12);

async function playInMemory(given: Play): Promise<void> {
  const clock = { now: START };
  const log = createMemoryEventLog({ clock: { now: () => clock.now } });
  const random = seededRandom(given.seed);
  const world = await play({ log, counting: countingInMemory(log), random, clock, crashes: true }, given);
  await expectExact(world, given.seed);
}

test(
  'no interleaving or crash lets a tenant have more jobs than its limit, or keeps a slot',
  PATIENT,
  async () => {
    for (let seed = 1; seed <= 300; seed += 1) await playInMemory({ seed, callers: 10, turbulent: false });
  },
);

test(
  'nor do limits that change, jobs that come without reservation, and jobs that come back',
  PATIENT,
  async () => {
    for (let seed = 1_001; seed <= 1_300; seed += 1)
      await playInMemory({ seed, callers: 12, turbulent: true });
  },
);

test.each([false, true])('the same holds on Postgres, turbulent: %s', PATIENT, async (turbulent) => {
  for (let seed = 2_001; seed <= 2_012; seed += 1) {
    await using database = await createDatabase();
    await prepareProjections(database.pool, [quotaUsageProjection]);
    const log = createPostgresEventLog({ pool: database.pool });
    const random = seededRandom(seed);
    const counting = await countingInPostgres(log, database.pool, () => random(5) === 0);
    const options = { log, counting, random, clock: { now: Date.now() }, crashes: true };
    const world = await play(options, { seed, callers: 8, turbulent });
    await expectExact(world, seed);
    await log.close();
  }
});
