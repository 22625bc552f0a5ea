import { describe, expect, it } from 'vitest';
import type { Lane } from '../../src/commands/placement.ts';
import { ReadyLanes } from '../../src/commands/ready-lanes.ts';
import type { Reserved } from '../../src/commands/ready-queue.ts';

const ALL = { tenants: '*', queues: '*', types: '*' } as const;

const lane = (tenantId: string, rest: Partial<Lane> = {}): Lane => ({
  tenantId,
  queue: 'default',
  type: 'a',
  priority: 5,
  ...rest,
});

const job = (of: Lane, seq: number): Reserved => ({ ...of, slot: 0, seq, jobId: `${seq}`, revision: 0 });

const shares = (lanes: ReadyLanes, wanted: number) =>
  Object.fromEntries(
    lanes.choose(ALL, wanted, 0).map(({ quota, lanes: [first] }) => [first?.tenantId ?? '', quota]),
  );

describe('turns', () => {
  it('are shared evenly, and go to the others first next time', () => {
    const lanes = new ReadyLanes();
    for (const tenant of ['a', 'b', 'c']) lanes.arrived(lane(tenant));
    expect(shares(lanes, 2)).toEqual({ a: 1, b: 1 });
    expect(shares(lanes, 2)).toEqual({ c: 1, a: 1 });
    expect(shares(lanes, 7)).toEqual({ b: 3, c: 3, a: 1 });
  });

  it('follow weights, and leave nobody out', () => {
    const lanes = new ReadyLanes((tenant) => ({ a: 3, b: 2 })[tenant] ?? 1);
    for (const tenant of ['a', 'b', 'c']) lanes.arrived(lane(tenant));
    expect(shares(lanes, 60)).toEqual({ a: 30, b: 20, c: 10 });
    expect(shares(lanes, 3)).toEqual({ a: 1, b: 1, c: 1 });
  });
});

describe('what is known of a lane', () => {
  it('is its end, once a claim got less than it asked for', () => {
    const lanes = new ReadyLanes();
    lanes.arrived(lane('a'));
    const takes = lanes.choose(ALL, 5, 0);
    lanes.found(takes, [job(lane('a'), 10)], [], 0);
    expect(lanes.choose(ALL, 5, 0)).toEqual([]);
    lanes.arrived(lane('a'));
    expect(lanes.choose(ALL, 5, 0)[0]?.lanes[0]?.floor).toBe(10);
  });

  it('is that it may have more, while it is paused or busy; it is left alone for a moment', () => {
    const lanes = new ReadyLanes();
    lanes.arrived(lane('a'));
    lanes.found(lanes.choose(ALL, 5, 0), [], [{ ...lane('a'), blocked: 'paused' }], 0);
    expect(lanes.choose(ALL, 5, 1)).toEqual([]);
    expect(lanes.choose(ALL, 5, 10_000)).toHaveLength(1);
    lanes.found(lanes.choose(ALL, 5, 0), [], [{ ...lane('a'), blocked: 'paused' }], 0);
    lanes.unblock('a');
    expect(lanes.choose(ALL, 5, 1)).toHaveLength(1);
  });

  it('is doubted until two rechecks after the last job was taken, then believed', () => {
    const lanes = new ReadyLanes();
    const floorsSeen: (number | undefined)[] = [];
    const claim = (...seqs: readonly number[]) => {
      const takes = lanes.choose(ALL, 5, 0);
      floorsSeen.push(takes[0]?.lanes[0]?.floor);
      const jobs = seqs.map((seq) => job(lane('a'), seq));
      lanes.found(takes, jobs, [], 0);
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
    lanes.found(lanes.choose(ALL, 2, 0), [job(lane('a'), 10), job(lane('a'), 11)], [], 0);
    lanes.recheck();
    lanes.found(lanes.choose(ALL, 2, 0), [job(lane('a'), 3), job(lane('a'), 4)], [], 0);
    expect(lanes.choose(ALL, 2, 0)[0]?.lanes[0]?.floor).toBe(4);
  });

  it('is forgotten from the bottom when it turns out to have jobs although it seemed empty', () => {
    const lanes = new ReadyLanes();
    lanes.arrived(lane('a'));
    lanes.found(lanes.choose(ALL, 5, 0), [job(lane('a'), 10)], [], 0);
    lanes.rediscovered(lane('a'));
    expect(lanes.choose(ALL, 5, 0)[0]?.lanes[0]?.floor).toBe(0);
  });
});
