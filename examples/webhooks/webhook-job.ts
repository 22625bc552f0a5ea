/** The jobs of this example, for the client and for the worker. */
export type WebhookJobs = {
  'webhook.deliver': {
    payload: {
      readonly event: string;
      /** What the receiver gets, byte for byte. A string: a webhook's body is bytes, not a value to be written anew. */
      readonly body: string;
    };
    result: { readonly status: number };
  };
};

export const TENANTS = ['north', 'south', 'west'] as const;

/** A shared secret of sender and receiver (Standard Webhooks). */
export const SECRET = process.env.WEBHOOK_SECRET ?? 'whsec_bm90IGEgc2VjcmV0LCBvbmx5IGFuIGV4YW1wbGU=';

export const connection = {
  url: process.env.JOBS_URL ?? 'http://127.0.0.1:4000',
  apiKey: process.env.JOBS_API_KEY ?? '',
};
