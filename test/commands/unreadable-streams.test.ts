import { afterEach, beforeEach, expect, it } from 'vitest';
import { jobStream } from '../../src/domain/job/stream.ts';
import { claimed, rowsOf, untilJob } from '../support/attempting.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  CALLER,
  type DispatchProcess,
  dispatchProcess,
  emptyUnloggedTables,
  type MovableClock,
  movableClock,
} from '../support/dispatch.ts';

let database: TestDatabase;
let clock: MovableClock;
let one: DispatchProcess;

beforeEach(async () => {
  database = await createDatabase();
  clock = movableClock();
  one = dispatchProcess(database.pool, clock);
});

afterEach(async () => {
  await one.close();
  await database[Symbol.asyncDispose]();
});

/** As a newer version would, before it was taken back: an event that this one does not know. */
async function makeUnreadable(jobId: string) {
  const stream = jobStream('acme', jobId);
  const [last] = await one.log.readStream(stream, { direction: 'backwards', limit: 1 });
  if (!last) throw new Error('no such job');
  const event = { ...last, type: 'JobTeleported', data: '{}', content: undefined };
  const metadata = { ...last.metadata, causationId: 'newer' };
  await one.log.append([{ stream, expectedRevision: last.revision, events: [{ ...event, metadata }] }]);
}

const RETRIES_LATER = { retry: { kind: 'fixed', delayMs: 600_000 } } as const;

it('the leases of other jobs run out beside one whose stream nobody can read', async () => {
  const { snapshot: unreadable } = await claimed(one);
  const { snapshot: sound } = await claimed(one, RETRIES_LATER);
  await makeUnreadable(unreadable.jobId);
  clock.advance(30_001);
  await untilJob(one, sound.jobId, { status: 'retrying' });
  expect((await rowsOf(database.pool, 'leases')).map(({ job_id }) => job_id)).toEqual([unreadable.jobId]);
});

it('timers of other jobs fire beside one whose stream nobody can read', async () => {
  const deadlineAt = clock.now() + 5_000;
  const [unreadable = '', sound = ''] = await one.enqueue('acme', [{ deadlineAt }, { deadlineAt }]);
  await one.projector.catchUp();
  await makeUnreadable(unreadable);
  clock.advance(5_001);
  await untilJob(one, sound, { status: 'dead_lettered' });
});

it('other jobs are claimed and kept alive beside one whose stream nobody can read', async () => {
  const { snapshot: lost, leaseToken: lostToken } = await claimed(one);
  const [unreadable = '', sound] = await one.enqueue('acme', [{}, {}]);
  await one.projector.catchUp();
  await makeUnreadable(unreadable);
  const claims = await one.claim({ max: 2 });
  expect(claims.map(({ snapshot }) => snapshot.jobId)).toEqual([sound]);
  await makeUnreadable(lost.jobId);
  await emptyUnloggedTables(database.pool);
  const { leases } = await one.heartbeat(CALLER, {
    workerId: 'worker',
    leases: [{ leaseToken: lostToken }, { leaseToken: claims[0]?.leaseToken ?? '' }],
    leaseMs: 30_000,
  });
  expect(leases.map(({ status }) => status)).toEqual(['lost', 'extended']);
});

it('a command to such a job says what is wrong with it', async () => {
  const [unreadable = ''] = await one.enqueue('acme', [{}]);
  await makeUnreadable(unreadable);
  const handled = await one.command('acme', unreadable, { type: 'CancelJob', graceMs: 0, at: clock.now() });
  expect(handled).toMatchObject({ kind: 'unreadable', error: { message: /unknown event JobTeleported/ } });
});
