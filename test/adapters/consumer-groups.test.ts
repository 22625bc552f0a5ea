import { describe, expect, it } from 'vitest';
import { createKafka } from '../../src/adapters/kafka/connect.ts';
import { consumerGroups, groupIdOf } from '../../src/adapters/kafka/consumer-groups.ts';
import { ConsumerLag, stateOf } from '../../src/adapters/kafka/consumer-lag.ts';
import type { Subscription } from '../../src/commands/inbound/subscription.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';

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

  it('are not known while Kafka does not answer, and that is what is said', async () => {
    const lag = new ConsumerLag({
      kafka: createKafka({ brokers: ['127.0.0.1:1'], clientId: 'test' }, noLogger),
      subscriptions: { current: async () => [about('a.*')] },
      naming: { prefix: 'p', service: 's' },
      metrics: noMetrics,
    });
    await expect(lag.list()).rejects.toMatchObject({ code: 'kafka_unavailable' });
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
