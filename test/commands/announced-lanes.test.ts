import { describe, expect, it } from 'vitest';
import { AnnouncedLanes } from '../../src/commands/announced-lanes.ts';

const lane = (tenantId: string) => ({ tenantId, queue: 'default', type: 'work', priority: 5 });

describe('lanes that a process fills itself', () => {
  it('count once their jobs are committed, each lane once, until they are taken', () => {
    const lanes = new AnnouncedLanes();
    lanes.announce([lane('a'), lane('a'), lane('b')]);
    expect(lanes.take()).toEqual([]);
    expect(lanes.placed()).toBe('some');
    expect(lanes.take()).toEqual([lane('a'), lane('b')]);
    expect(lanes.take()).toEqual([]);
  });

  it('are not counted again by a commit that fills none', () => {
    const lanes = new AnnouncedLanes();
    lanes.announce([lane('a')]);
    lanes.placed();
    lanes.take();
    expect(lanes.placed()).toBe('none');
    expect(lanes.size).toBe(0);
  });

  it('count at once when the commit was not announced, beside those that were', () => {
    const lanes = new AnnouncedLanes();
    lanes.announce([lane('a')]);
    expect(lanes.filled([lane('b')])).toBe('some');
    expect(lanes.take()).toEqual([lane('b')]);
    expect(lanes.placed()).toBe('some');
    expect(lanes.take()).toEqual([lane('a')]);
  });

  it('carry nothing but the lane', () => {
    const lanes = new AnnouncedLanes();
    const placement = { ...lane('a'), jobId: 'j', revision: 0, snapshot: 'x'.repeat(1_000) };
    lanes.announce([placement]);
    lanes.placed();
    expect(lanes.take()).toEqual([lane('a')]);
  });

  it('are forgotten when nobody takes them and they are too many, and say so', () => {
    const lanes = new AnnouncedLanes();
    lanes.announce(Array.from({ length: 1_001 }, (_, tenant) => lane(`t${tenant}`)));
    expect(lanes.placed()).toBe('many');
    expect(lanes.size).toBe(0);
  });
});
