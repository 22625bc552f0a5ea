import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Queries } from '../../src/projections/queries.ts';
import type { TestDatabase } from '../support/database.ts';
import { deadLettered, enqueued, failed, started } from '../support/job-events.ts';
import type { Projected } from '../support/projected.ts';
import { HOUR, idOf, life, NOW, queried } from '../support/queried.ts';

let database: TestDatabase;
let projected: Projected;
let queries: Queries;

beforeAll(async () => {
  ({ database, projected, queries } = await queried());
});
afterAll(() => database[Symbol.asyncDispose]());

describe('dead letters', () => {
  const tenant = 'dead';
  const dead = (number: number, fingerprint: string, type = 'mail.send', queue = 'default') => {
    const identity = { type, queue };
    const error = { type: 'TypeError', message: `boom ${number}`, fingerprint };
    return life(
      tenant,
      idOf(NOW - HOUR, number),
      NOW - HOUR + number,
      enqueued(identity),
      started(identity),
      failed({ ...identity, error, willRetry: false }),
      deadLettered({ ...identity, error }),
    );
  };

  beforeAll(async () => {
    await projected.apply([
      ...[1, 2, 3].flatMap((number) => dead(number, 'a')),
      ...[4, 5].flatMap((number) => dead(number, 'a', 'mail.send', 'slow')),
      ...[6, 7].flatMap((number) => dead(number, 'b', 'report')),
    ]);
  });

  it('are listed latest first, by type, queue and fingerprint', async () => {
    const list = async (filter: object) => {
      const { rows } = await queries.listDeadLetters(tenant, filter, { limit: 10 });
      return rows.map(({ jobId }) => Number.parseInt(jobId.slice(-12), 16));
    };
    expect(await list({})).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(await list({ queue: 'slow' })).toEqual([5, 4]);
    expect(await list({ type: 'report' })).toEqual([7, 6]);
    expect(await list({ fingerprint: 'a' })).toEqual([5, 4, 3, 2, 1]);
  });

  it('are paged forwards and back', async () => {
    const first = await queries.listDeadLetters(tenant, {}, { limit: 3 });
    const second = await queries.listDeadLetters(tenant, {}, { limit: 3, cursor: first.nextCursor ?? '' });
    const third = await queries.listDeadLetters(tenant, {}, { limit: 3, cursor: second.nextCursor ?? '' });
    expect([first, second, third].map(({ rows }) => rows.length)).toEqual([3, 3, 1]);
    expect(third.nextCursor).toBeNull();
    const back = await queries.listDeadLetters(tenant, {}, { limit: 3, cursor: third.prevCursor ?? '' });
    expect(back.rows).toEqual(second.rows);
  });

  it('are grouped by what went wrong, with the latest message, largest group first', async () => {
    const group = { errorType: 'TypeError', jobType: 'mail.send', fingerprint: 'a' };
    const at = (number: number) => NOW - HOUR + number;
    expect(await queries.groupDeadLetters(tenant, {}, 10)).toEqual([
      { ...group, message: 'boom 5', count: 5, firstAt: at(1), lastAt: at(5) },
      {
        ...group,
        jobType: 'report',
        fingerprint: 'b',
        message: 'boom 7',
        count: 2,
        firstAt: at(6),
        lastAt: at(7),
      },
    ]);
    expect(await queries.groupDeadLetters(tenant, { queue: 'slow' }, 10)).toEqual([
      { ...group, message: 'boom 5', count: 2, firstAt: at(4), lastAt: at(5) },
    ]);
    expect(await queries.groupDeadLetters(tenant, {}, 1)).toHaveLength(1);
  });

  it('are nobody else’s', async () => {
    expect((await queries.listDeadLetters('nobody', {}, { limit: 10 })).rows).toEqual([]);
    expect(await queries.groupDeadLetters('nobody', {}, 10)).toEqual([]);
    expect(await queries.getDeadLetter('nobody', idOf(NOW - HOUR, 1))).toBeUndefined();
    expect(await queries.listAttempts('nobody', idOf(NOW - HOUR, 1))).toEqual([]);
    expect((await queries.getDeadLetter(tenant, idOf(NOW - HOUR, 1)))?.error.message).toBe('boom 1');
  });
});
