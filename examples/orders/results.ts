// What became of the orders, read from Kafka by a program that knows nothing of jobs but CloudEvents.
import { Kafka } from 'kafkajs';

const brokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',');
const consumer = new Kafka({ clientId: 'results', brokers }).consumer({ groupId: 'shop-results' });
await consumer.connect();
await consumer.subscribe({ topic: 'eventzr.jobs.completed.v1', fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    const event = JSON.parse(String(message.value));
    if (event.data.type === 'order.fulfil') console.log(event.id, JSON.stringify(event.data.result));
  },
});
