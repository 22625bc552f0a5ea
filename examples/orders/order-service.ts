// Puts orders on Kafka, each of them twice: a producer that is not sure whether it has sent sends again.
import { Kafka } from 'kafkajs';

const brokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',');
const kafka = new Kafka({ clientId: 'order-service', brokers });
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({
  waitForLeaders: false,
  topics: [{ topic: 'shop.order.placed', numPartitions: 3 }],
});
await admin.disconnect();

const producer = kafka.producer();
await producer.connect();
for (let n = 1; n <= Number(process.argv[2] ?? 10); n += 1) {
  const order = { order_id: `o-${n}`, customer_id: `c-${n % 3}`, total: n * 10 };
  const event = {
    event_id: `order-${n}-placed`,
    event_type: 'order.placed',
    event_version: 2,
    tenant_id: 'dev',
    occurred_at: new Date().toISOString(),
    producer: 'order-service',
    data: order,
  };
  const message = { key: order.order_id, value: JSON.stringify(event) };
  await producer.send({ topic: 'shop.order.placed', messages: [message, message] });
}
await producer.disconnect();
