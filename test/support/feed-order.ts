import { expect } from 'vitest';
import type { ReadMessage } from './kafka-reader.ts';

/** Of each tenant: the numbers of its jobs in the order of their first arrival. */
export function numbersIn(messages: readonly ReadMessage[], tenant: string): readonly number[] {
  const numbers = messages
    .filter(({ topic, key }) => topic === 'eventzr.jobs.enqueued.v1' && key === tenant)
    .map(({ value }) => (JSON.parse(value) as { data: { payload: { n: number } } }).data.payload.n);
  return [...new Set(numbers)];
}

/** Every job of every tenant is there, in the order of its tenant; repetitions may follow. */
export function expectOrder(
  messages: readonly ReadMessage[],
  tenants: readonly string[],
  count: number,
): void {
  for (const tenant of tenants) {
    expect(numbersIn(messages, tenant)).toEqual(Array.from({ length: count }, (_, n) => n));
    const ofTenant = messages.filter(({ key }) => key === tenant);
    expect(new Set(ofTenant.map(({ partition }) => partition)).size).toBe(1);
  }
}
