import { expect, it } from 'vitest';
import { FailedAttempts } from '../../src/adapters/http/failed-attempts.ts';
import { noMetrics } from '../../src/commands/telemetry.ts';

function attempts() {
  let now = 1_700_000_000_000;
  const counted: string[] = [];
  const count = (name: string, _by = 1, labels: Readonly<Record<string, string>> = {}) =>
    counted.push(`${name} ${labels.outcome}`);
  const failures = new FailedAttempts({ now: () => now }, { ...noMetrics, count });
  return {
    fail: (times: number, address = '10.0.0.1') =>
      Array.from({ length: times }, () => failures.note(address)),
    pass: (ms: number) => {
      now += ms;
    },
    counted,
  };
}

it('ten failures are free, then each costs more, up to a minute', () => {
  const { fail, counted } = attempts();
  expect(fail(10)).toEqual(Array(10).fill(0));
  expect(fail(9)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  expect(counted.slice(9, 11)).toEqual(['auth_failures refused', 'auth_failures slowed']);
});

it('a minute without failures makes good', () => {
  const { fail, pass } = attempts();
  fail(15);
  pass(59_999);
  expect(fail(1)).not.toEqual([0]);
  pass(60_000);
  expect(fail(1)).toEqual([0]);
});

it('addresses are counted on their own, and those of one IPv6 network together', () => {
  const { fail } = attempts();
  fail(10, '10.0.0.1');
  expect(fail(1, '10.0.0.2')).toEqual([0]);
  fail(5, '2001:db8:0:1::1');
  fail(5, '2001:db8:0:1:ffff::2');
  expect(fail(1, '2001:db8::1:0:0:0:3')).toEqual([1_000]);
  expect(fail(1, '2001:db8:0:2::1')).toEqual([0]);
  fail(10, '::ffff:10.0.0.3');
  expect(fail(1, '::ffff:10.0.0.4')).toEqual([0]);
});

it('what is remembered has a limit: the addresses that failed last', () => {
  const { fail } = attempts();
  fail(10, 'first');
  for (let n = 0; n < 10_000; n += 1) fail(1, `address-${n}`);
  expect(fail(1, 'first')).toEqual([0]);
});
