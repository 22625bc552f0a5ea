import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Turns } from '../../src/commands/turns.ts';

const tenants = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });
const claims = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 200 });

it('shares never differ from the weights by more than a round, whatever the sizes of the claims', () => {
  fc.assert(
    fc.property(tenants, claims, (weights, wants) => {
      const turns = new Turns();
      const able = new Map(weights.map((weight, tenant) => [`t${tenant}`, weight]));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const got = new Map<string, number>();
      let all = 0;
      for (const wanted of wants) {
        const dealt = turns.deal(able, wanted, (id) => able.get(id) ?? 1);
        expect([...dealt.values()].reduce((sum, jobs) => sum + jobs, 0)).toBe(wanted);
        for (const [id, jobs] of dealt) got.set(id, (got.get(id) ?? 0) + jobs);
        all += wanted;
        for (const [id, weight] of able) {
          expect(Math.abs((got.get(id) ?? 0) - (all * weight) / total)).toBeLessThanOrEqual(weight);
        }
      }
    }),
  );
});

it('nobody with jobs is passed over for longer than a round, while others come and go', () => {
  const steps = fc.array(
    fc.record({ wanted: fc.integer({ min: 1, max: 5 }), able: fc.uniqueArray(fc.nat(5), { maxLength: 6 }) }),
    { maxLength: 100 },
  );
  fc.assert(
    fc.property(steps, (moves) => {
      const turns = new Turns();
      const weightOf = (id: string) => 1 + Number(id) * 2;
      const round = 36;
      let since = 0;
      for (const { wanted, able } of moves) {
        const present = new Map(['0', ...able.map((tenant) => `${tenant}`)].map((id) => [id, true]));
        const dealt = turns.deal(present, wanted, weightOf);
        since = dealt.has('0') ? 0 : since + wanted;
        expect(since).toBeLessThanOrEqual(2 * round);
      }
    }),
  );
});

it('are not kept for ever for tenants that came once, when nobody ever has to wait for a round', () => {
  const turns = new Turns();
  let asked = 0;
  for (let tenant = 0; tenant < 5_000; tenant += 1) {
    const present = {
      has: (id: string) => {
        asked += 1;
        return id === `t${tenant}`;
      },
      keys: () => [`t${tenant}`].values(),
      size: 1,
    };
    expect(turns.deal(present, 1, () => 2).get(`t${tenant}`)).toBe(1);
  }
  expect(asked).toBeLessThan(5_000 * 1_500);
});
