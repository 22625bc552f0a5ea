import type { KafkaMessage } from 'kafkajs';
import { expect, it } from 'vitest';
import { toInboundMessage } from '../../src/adapters/kafka/inbox-message.ts';
import { parseMessage } from '../../src/commands/inbound/parse-message.ts';

const withoutValue = (headers: NonNullable<KafkaMessage['headers']>): KafkaMessage => ({
  key: Buffer.from('acme'),
  value: null,
  headers,
  timestamp: '0',
  offset: '7',
  attributes: 0,
});

it('takes a CloudEvent in binary mode that has no data, though its value is null', () => {
  const message = toInboundMessage(
    'shop.orders',
    0,
    withoutValue({
      ce_specversion: Buffer.from('1.0'),
      ce_id: Buffer.from('e1'),
      ce_source: Buffer.from('shop'),
      ce_type: Buffer.from('order.opened'),
      ce_tenantid: Buffer.from('acme'),
    }),
  );
  if (!message) throw new Error('it was left out');
  expect(parseMessage(message)).toMatchObject([{ eventId: 'e1', type: 'order.opened', data: 'null' }]);
});

it('leaves out tombstones', () => {
  expect(toInboundMessage('shop.orders', 0, withoutValue({ trace: Buffer.from('1') }))).toBeUndefined();
  expect(toInboundMessage('shop.orders', 0, withoutValue({}))).toBeUndefined();
});
