// A worker that fulfils orders.
import { JobsWorker } from '../../src/sdk/index.ts';

type OrderJobs = {
  'order.fulfil': {
    payload: { readonly order_id: string; readonly total: number };
    result: { readonly order_id: string; readonly parcel: string };
  };
};

const worker = new JobsWorker<OrderJobs>({
  connection: {
    url: process.env.JOBS_URL ?? 'http://127.0.0.1:4000',
    apiKey: process.env.JOBS_API_KEY ?? '',
  },
  queues: ['orders'],
  handlers: {
    'order.fulfil': async ({ payload: { order_id } }) => ({ order_id, parcel: `parcel-of-${order_id}` }),
  },
});
process.once('SIGTERM', () => void worker.stop());
process.once('SIGINT', () => void worker.stop());
worker.start();
console.log('fulfilling orders');
