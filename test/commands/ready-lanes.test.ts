import { describe, expect, it } from 'vitest';
import type { LaneFilter } from '../../src/commands/lane-filter.ts';
import type { Lane } from '../../src/commands/placement.ts';
import { ReadyLanes } from '../../src/commands/ready-lanes.ts';
import type { Blocked, Reserved } from '../../src/commands/ready-queue.ts';

const ALL: LaneFilter = { pool: 'all', tenants: '*', queues: '*', types: '*' };

const lane = (tenantId: string, rest: Partial<Lane> = {}): Lane => ({
  tenantId,
  queue: 'default',
  type: 'a',
  priority: 5,
  ...rest,
});

const job = (of: Lane, seq: number): Reserved => ({ ...of, slot: 0, seq, jobId: `${seq}`, revision: 0 });

/** Claims that get what they ask for. */
const shares = (lanes: ReadyLanes, wanted: number, filter = ALL) =>
  Object.fromEntries(
    lanes.choose(filter, wanted, 0).map(({ quota, lanes: [first] }) => [first?.tenantId ?? '', quota]),
  );

function contended(weights: Readonly<Record<string, number>>): ReadyLanes {
  const lanes = new ReadyLanes();
  for (const [tenantId, weight] of Object.entries(weights)) {
    lanes.weigh({ tenantId, weight });
    lanes.arrived(lane(tenantId));
  }
  return lanes;
}

describe('turns', () => {
  it('are shared evenly, and go to the others first next time', () => {
    const lanes = contended({ a: 1, b: 1, c: 1 });
    expect(shares(lanes, 2)).toEqual({ a: 1, b: 1 });
    expect(shares(lanes, 2)).toEqual({ c: 1, a: 1 });
    expect(shares(lanes, 8)).toEqual({ b: 3, c: 3, a: 2 });
  });

  it('follow weights in one large claim', () => {
    expect(shares(contended({ a: 3, b: 2, c: 1 }), 60)).toEqual({ a: 30, b: 20, c: 10 });
  });

  it('follow weights over many claims of one job, and nobody waits for all of a heavier one', () => {
    const lanes = contended({ a: 3, b: 2, c: 1 });
    const order = Array.from({ length: 12 }, () => Object.keys(shares(lanes, 1))[0]);
    expect(order.join('')).toBe('abcabacbabaa');
  });

  it('let a changed weight count from the next round on', () => {
    const lanes = contended({ a: 1, b: 1 });
    shares(lanes, 2);
    lanes.weigh({ tenantId: 'a', weight: 3 });
    expect(shares(lanes, 4)).toEqual({ a: 3, b: 1 });
  });

  it('are kept apart for workers that take other jobs', () => {
    const lanes = contended({ a: 1, b: 1 });
    const onlyA: LaneFilter = { ...ALL, pool: 'a', tenants: new Set(['a']) };
    for (let i = 0; i < 5; i += 1) expect(shares(lanes, 3, onlyA)).toEqual({ a: 3 });
    expect(shares(lanes, 4)).toEqual({ a: 2, b: 2 });
  });

  it('pass on what a tenant does not have', () => {
    const lanes = contended({ a: 1, b: 1 });
    const takes = lanes.choose(ALL, 4, 0);
    lanes.found(ALL, takes, [job(lane('a'), 1), job(lane('b'), 2), job(lane('b'), 3)], [], 0);
    expect(shares(lanes, 4)).toEqual({ b: 4 });
  });
});

describe('a tenant that is held', () => {
  const full: Blocked = { tenantId: 'a', reason: 'full', granted: 0 };

  it('has no turns until it is told to be free, whatever else of it arrives', () => {
    const lanes = contended({ a: 1, b: 1 });
    lanes.found(ALL, lanes.choose(ALL, 2, 0), [job(lane('b'), 1)], [full], 0);
    lanes.arrived(lane('a', { type: 'other' }));
    expect(shares(lanes, 2)).toEqual({ b: 2 });
    lanes.unblock('a');
    expect(shares(lanes, 2)).toEqual({ a: 1, b: 1 });
  });

  it('is looked at again after a while, or when its suspension is over', () => {
    const lanes = contended({ a: 1 });
    const at = (now: number) => lanes.choose(ALL, 1, now).length;
    lanes.found(ALL, lanes.choose(ALL, 1, 0), [], [full], 0);
    expect([at(1), at(29_999), at(30_000)]).toEqual([0, 0, 1]);
    const until: Blocked = { tenantId: 'a', reason: 'suspended', granted: 0, until: 36_000 };
    lanes.found(ALL, lanes.choose(ALL, 1, 30_000), [], [until], 30_000);
    expect([at(35_999), at(36_000)]).toEqual([0, 1]);
  });

  it('is not held when it gave less than it could', () => {
    const lanes = contended({ a: 1 });
    const takes = lanes.choose(ALL, 5, 0);
    lanes.found(ALL, takes, [job(lane('a'), 1)], [{ ...full, granted: 2 }], 0);
    lanes.arrived(lane('a'));
    expect(shares(lanes, 5)).toEqual({ a: 5 });
  });

  it('is held with some of its queues only', () => {
    const lanes = contended({ a: 1 });
    const mail = lane('a', { queue: 'mail' });
    lanes.arrived(mail);
    const paused: Blocked = { tenantId: 'a', lane: mail, reason: 'paused', granted: 0 };
    lanes.found(ALL, lanes.choose(ALL, 1, 0), [job(lane('a'), 1)], [paused], 0);
    expect(lanes.choose(ALL, 1, 0)[0]?.lanes.map(({ queue }) => queue)).toEqual(['default']);
    lanes.found(ALL, lanes.choose(ALL, 1, 0), [], [], 0);
    expect(lanes.choose(ALL, 1, 0)).toEqual([]);
    lanes.arrived(lane('a'));
    expect(lanes.choose(ALL, 1, 0)[0]?.lanes.map(({ queue }) => queue)).toEqual(['default']);
  });

  it('is looked at again when the clock has gone back', () => {
    const lanes = contended({ a: 1 });
    lanes.found(ALL, lanes.choose(ALL, 1, 1_000_000), [], [full], 1_000_000);
    expect(lanes.choose(ALL, 1, 1_000_000)).toEqual([]);
    expect(lanes.choose(ALL, 1, 10)).toHaveLength(1);
  });
});

describe('what is known of a lane', () => {
  it('is its end, once a claim got less than it asked for', () => {
    const lanes = new ReadyLanes();
    lanes.arrived(lane('a'));
    const takes = lanes.choose(ALL, 5, 0);
    lanes.found(ALL, takes, [job(lane('a'), 10)], [], 0);
    expect(lanes.choose(ALL, 5, 0)).toEqual([]);
    lanes.arrived(lane('a'));
    expect(lanes.choose(ALL, 5, 0)[0]?.lanes[0]?.floor).toBe(10);
  });

  it('is doubted until two rechecks after the last job was taken, then believed', () => {
    const lanes = new ReadyLanes();
    const floorsSeen: (number | undefined)[] = [];
    const claim = (...seqs: readonly number[]) => {
      const takes = lanes.choose(ALL, 5, 0);
      floorsSeen.push(takes[0]?.lanes[0]?.floor);
      const jobs = seqs.map((seq) => job(lane('a'), seq));
      lanes.found(ALL, takes, jobs, [], 0);
    };
    lanes.arrived(lane('a'));
    claim(10);
    lanes.recheck();
    claim();
    lanes.arrived(lane('a'));
    claim(20);
    lanes.recheck();
    claim();
    lanes.recheck();
    claim();
    lanes.recheck();
    claim();
    lanes.recheck();
    claim();
    lanes.arrived(lane('a'));
    claim();
    expect(floorsSeen).toEqual([0, 0, 10, 0, 10, undefined, undefined, 20]);
  });

  it('goes on after what was taken when a recheck finds jobs again', () => {
    const lanes = new ReadyLanes();
    lanes.arrived(lane('a'));
    lanes.found(ALL, lanes.choose(ALL, 2, 0), [job(lane('a'), 10), job(lane('a'), 11)], [], 0);
    lanes.recheck();
    lanes.found(ALL, lanes.choose(ALL, 2, 0), [job(lane('a'), 3), job(lane('a'), 4)], [], 0);
    expect(lanes.choose(ALL, 2, 0)[0]?.lanes[0]?.floor).toBe(4);
  });

  it('is forgotten from the bottom when it turns out to have jobs although it seemed empty', () => {
    const lanes = new ReadyLanes();
    lanes.arrived(lane('a'));
    lanes.found(ALL, lanes.choose(ALL, 5, 0), [job(lane('a'), 10)], [], 0);
    lanes.rediscovered([lane('a')]);
    expect(lanes.choose(ALL, 5, 0)[0]?.lanes[0]?.floor).toBe(0);
  });

  it('is forgotten when all its jobs went to others, though nobody here ever asked for them', () => {
    const lanes = new ReadyLanes();
    const held: LaneFilter = { pool: 'b', tenants: '*', queues: '*', types: new Set(['b']) };
    for (const queue of ['gone', 'there', 'new']) lanes.arrived(lane('a', { queue, type: 'b' }));
    lanes.forgetIdle();
    lanes.arrived(lane('a', { queue: 'new', type: 'b' }));
    lanes.rediscovered([lane('a', { queue: 'there', type: 'b' })]);
    const queues = () => lanes.choose(held, 5, 0).flatMap((take) => take.lanes.map(({ queue }) => queue));
    expect(queues()).toEqual(['there', 'new']);
    lanes.arrived(lane('a', { queue: 'gone', type: 'b' }));
    expect(queues()).toEqual(['there', 'new', 'gone']);
  });

  it('leaves nothing behind of a tenant whose jobs all went to others', () => {
    const lanes = new ReadyLanes();
    lanes.arrived(lane('a'));
    lanes.forgetIdle();
    lanes.rediscovered([]);
    expect(lanes.claimable(10)).toEqual([]);
    expect(lanes.choose(ALL, 5, 0)).toEqual([]);
  });
});
