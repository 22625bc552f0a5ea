import { describe, expect, it } from 'vitest';
import { consumerGroups, groupIdOf } from '../../src/adapters/kafka/consumer-groups.ts';
import { stateOf } from '../../src/adapters/kafka/consumer-lag.ts';
import type { Subscription } from '../../src/commands/inbound/subscription.ts';

const about = (topic: string): Subscription => ({
  name: topic,
  tenantId: null,
  topic,
  invalid: 'dead-letter',
  action: { kind: 'enqueue', type: 't' },
});

describe('consumer groups', () => {
  it('are named for prefix, service and topic, the prefix once', () => {
    const naming = { prefix: 'blindstrader', service: 'supplier' };
    expect(groupIdOf('blindstrader.brand.catalog-updated', naming)).toBe(
      'blindstrader-supplier-brand-catalog-updated',
    );
    expect(groupIdOf('Orders_placed', naming)).toBe('blindstrader-supplier-orders-placed');
  });

  it('read what subscriptions are about, never dead letters nor what is internal', () => {
    const topics = ['a.b', 'a-b', 'a.b.c', 'c', 'a.b.dlq', '__consumer_offsets'];
    const groups = consumerGroups(topics, [about('a*'), about('a.*'), about('**.dlq')], {
      prefix: 'p',
      service: 's',
    });
    expect([...groups]).toEqual([['p-s-a-b', ['a-b', 'a.b']]]);
    expect([...consumerGroups(topics, [about('**')], { prefix: 'p', service: 's' }).keys()]).toEqual([
      'p-s-a-b',
      'p-s-a-b-c',
      'p-s-c',
    ]);
  });

  it('warn over a thousand and are critical over ten thousand', () => {
    expect([0, 1_000, 1_001, 10_000, 10_001].map(stateOf)).toEqual([
      'ok',
      'ok',
      'warning',
      'warning',
      'critical',
    ]);
  });
});
