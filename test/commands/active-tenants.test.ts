import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ActiveTenants } from '../../src/commands/active-tenants.ts';
import { waitUntil } from '../support/wait-until.ts';

let now = 10_000;
let told = 0;
let asked = 0;
let answer: () => Promise<boolean>;
let hearsAll: boolean;
let tenants: ActiveTenants;

beforeEach(() => {
  told = 0;
  asked = 0;
  answer = async () => false;
  hearsAll = true;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  tenants = new ActiveTenants({
    hearsAll: () => hearsAll,
    sign: {
      tell: async () => {
        told += 1;
      },
      wasToldWithin: () => {
        asked += 1;
        return answer();
      },
    },
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

it('a tenant that enqueues alone has no others beside it', () => {
  tenants.enqueued('acme', 1);
  tenants.enqueued('acme', 500);
  expect(tenants.hasOthers('acme')).toBe(false);
});

it('a tenant with a few jobs is beside a flood until it was quiet for a second', () => {
  tenants.enqueued('small', 1);
  for (let ms = 0; ms < 1_000; ms += 100) {
    tenants.enqueued('flood', 100);
    expect(tenants.hasOthers('flood')).toBe(true);
    now += 100;
  }
  tenants.enqueued('flood', 100);
  expect(tenants.hasOthers('flood')).toBe(false);
});

it('floods do not give way to the first few of another, once it comes with many', () => {
  tenants.enqueued('small', 1);
  tenants.enqueued('two', 3);
  expect(tenants.hasOthers('one')).toBe(true);
  tenants.enqueued('two', 100);
  expect(tenants.hasOthers('small')).toBe(false);
  expect(tenants.hasOthers('two')).toBe(true);
  now += 999;
  tenants.enqueued('two', 100);
  now += 1;
  expect(tenants.hasOthers('one')).toBe(false);
});

it('floods do not give way to each other, nor to the last few of one', () => {
  for (let n = 0; n < 5; n += 1) {
    tenants.enqueued('one', 100);
    tenants.enqueued('two', n === 4 ? 3 : 100);
  }
  expect(tenants.hasOthers('one')).toBe(false);
  expect(tenants.hasOthers('two')).toBe(false);
  now += 1_000;
  tenants.enqueued('two', 3);
  expect(tenants.hasOthers('one')).toBe(true);
});

it('a process that lines jobs up tells the others, not too often, while there is a flood beside few jobs', () => {
  tenants.linedUp('acme', 1);
  tenants.linedUp('globex', 1);
  expect(told).toBe(0);
  tenants.linedUp('flood', 100);
  tenants.linedUp('flood', 100);
  expect(told).toBe(1);
  now += 500;
  tenants.linedUp('flood', 100);
  expect(told).toBe(2);
  now += 1_000;
  tenants.linedUp('flood', 100);
  expect(told).toBe(2);
});

it('a process that hears of its own tenants only goes by what it was told, and asks now and then', async () => {
  hearsAll = false;
  answer = async () => true;
  tenants.enqueued('flood', 100);
  expect(tenants.hasOthers('flood')).toBe(false);
  vi.mocked(performance.now).mockRestore();
  await waitUntil('the answer is there', () => tenants.hasOthers('flood'));
  for (let n = 0; n < 100; n += 1) tenants.hasOthers('flood');
  expect(asked).toBeLessThan(20);
});

it('who cannot be asked holds nobody up', async () => {
  hearsAll = false;
  answer = () => Promise.reject(new Error('away'));
  tenants.enqueued('flood', 100);
  expect(tenants.hasOthers('flood')).toBe(false);
  expect(asked).toBe(1);
});
