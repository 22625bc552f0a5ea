// Enqueues every line of a file, {"event":…,"payload":…}, as a webhook of one of three tenants in turn.
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { JobsClient } from '../../src/sdk/index.ts';
import { memberText } from './member-text.ts';
import { connection, TENANTS, type WebhookJobs } from './webhook-job.ts';

type Job = { readonly type: 'webhook.deliver'; readonly payload: WebhookJobs['webhook.deliver']['payload'] };

const MOST_JOBS = 100;
const MOST_CHARACTERS = 500_000;

const [file, run = randomUUID()] = process.argv.slice(2);
if (!file) {
  console.error('usage: node examples/webhooks/enqueue.ts FILE.jsonl [RUN]');
  process.exit(2);
}

const senders = TENANTS.map((tenant) => ({
  tenant,
  client: new JobsClient<WebhookJobs>({ ...connection, tenant, tries: 20 }),
  jobs: [] as Job[],
  characters: 0,
  sent: 0,
}));
type Sender = (typeof senders)[number];

let line = 0;
for await (const text of createInterface({ input: createReadStream(file) })) {
  const sender = senders[line % senders.length] as Sender;
  line += 1;
  const job = jobOf(text);
  const full = sender.jobs.length >= MOST_JOBS || sender.characters + text.length > MOST_CHARACTERS;
  if (full && sender.jobs.length > 0) await send(sender);
  sender.jobs.push(job);
  sender.characters += text.length;
}
for (const sender of senders) if (sender.jobs.length > 0) await send(sender);

for (const { tenant, sent } of senders) console.log(`${tenant}: ${sent} webhooks`);
console.log(`run ${run}: repeating it under this name enqueues nothing twice`);

function jobOf(text: string): Job {
  const body = memberText(text, 'payload');
  if (body === undefined) throw new Error(`line ${line} has no payload`);
  const event: unknown = JSON.parse(text).event;
  return { type: 'webhook.deliver', payload: { event: String(event), body } };
}

async function send(sender: Sender): Promise<void> {
  const { client, tenant } = sender;
  const jobs = sender.jobs.map((job) => ({
    ...job,
    queue: 'webhooks',
    maxAttempts: 15,
    retry: { kind: 'exponential' as const, baseMs: 200, maxMs: 5_000 },
  }));
  // The same batch of the same run has the same name, so that an interrupted run can be repeated.
  const name = createHash('sha256')
    .update(JSON.stringify([run, tenant, sender.sent, jobs]))
    .digest('hex');
  const { counts } = await client.enqueueBulk(jobs, { atomic: true, idempotencyKey: name });
  sender.sent += counts.created;
  sender.jobs = [];
  sender.characters = 0;
}
