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
  tenants.begins('acme');
  tenants.begins('acme');
  expect(tenants.hasOthers('acme')).toBe(false);
  expect(tenants.hasOthers('globex')).toBe(true);
});

it('two tenants are beside each other until one of them was quiet for a second', () => {
  tenants.begins('small');
  for (let ms = 0; ms < 1_000; ms += 100) {
    tenants.begins('flood');
    expect(tenants.hasOthers('flood')).toBe(true);
    now += 100;
  }
  tenants.begins('flood');
  expect(tenants.hasOthers('flood')).toBe(false);
  expect(tenants.hasOthers('small')).toBe(true);
});

it('a process that lines jobs up tells the others, not too often, and only while there are several tenants', () => {
  for (let n = 0; n < 5; n += 1) tenants.linedUp('acme');
  expect(told).toBe(0);
  for (let n = 0; n < 5; n += 1) {
    tenants.linedUp('globex');
    tenants.linedUp('acme');
  }
  expect(told).toBe(1);
  now += 500;
  tenants.linedUp('globex');
  expect(told).toBe(2);
});

it('a process that hears of its own tenants only goes by what it was told, and asks now and then', async () => {
  hearsAll = false;
  answer = async () => true;
  tenants.begins('flood');
  expect(tenants.hasOthers('flood')).toBe(false);
  vi.mocked(performance.now).mockRestore();
  await waitUntil('the answer is there', () => tenants.hasOthers('flood'));
  for (let n = 0; n < 100; n += 1) tenants.hasOthers('flood');
  expect(asked).toBeLessThan(20);
});

it('who cannot be asked holds nobody up', async () => {
  hearsAll = false;
  answer = () => Promise.reject(new Error('away'));
  tenants.begins('flood');
  expect(tenants.hasOthers('flood')).toBe(false);
  expect(asked).toBe(1);
});
