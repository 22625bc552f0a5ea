// Sends every line of a file, {"event":…,"payload":…}, as a webhook of one tenant, and says what its quota made of it.
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { JobsClient } from '../../src/sdk/index.ts';
import { memberText } from './member-text.ts';
import { connection, type WebhookJobs } from './webhook-job.ts';

const MOST_JOBS = 20;
/** Between batches, for those who want to watch. */
const PACE_MS = Number(process.env.PACE_MS ?? 0);
const ASK_AGAIN_MS = 500;
/** An hour of asking. */
const MOST_TRIES = 7_200;

const [tenant, file, times = '1'] = process.argv.slice(2);
if (!tenant || !file) {
  console.error('usage: node examples/webhooks/send.ts TENANT FILE.jsonl [TIMES]');
  process.exit(2);
}

const client = new JobsClient<WebhookJobs>({ ...connection, tenant, tries: 20 });
const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
const all = Array.from({ length: Number(times) }, () => lines).flat();
const refused = new Map<string, number>();
let sent = 0;
for (let at = 0; at < all.length; at += MOST_JOBS) {
  await send(all.slice(at, at + MOST_JOBS).map(jobOf));
  await pause(PACE_MS);
}

console.log(`${tenant}: ${sent} webhooks`);
for (const [why, count] of refused) console.log(`${tenant}: ${count} refused: ${why}`);

/** What is above a limit is given up; while the tenant is paused, all is kept and tried again. */
async function send(jobs: readonly ReturnType<typeof jobOf>[]): Promise<void> {
  let open = jobs;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const { results, counts } = await client.enqueueBulk(open);
    sent += counts.created;
    const kept: (typeof open)[number][] = [];
    results.forEach((result, index) => {
      const job = open[index];
      if (!job || result.status !== 'rejected') return;
      const { code, quota, suspension } = result.problem;
      if (suspension) {
        if (tries === 1 && kept.length === 0) console.log(`${tenant}: paused: ${suspension.reason}`);
        kept.push(job);
        return;
      }
      const why = quota ? `${quota.limit} is ${quota.value}` : code;
      refused.set(why, (refused.get(why) ?? 0) + 1);
    });
    open = kept;
    if (open.length === 0) return;
    await pause(ASK_AGAIN_MS);
  }
  throw new Error(`${tenant} is still paused`);
}

function jobOf(line: string) {
  const body = memberText(line, 'payload');
  if (body === undefined) throw new Error('a line has no payload');
  const event: unknown = JSON.parse(line).event;
  return {
    type: 'webhook.deliver' as const,
    payload: { event: String(event), body },
    queue: 'webhooks',
    maxAttempts: 15,
    retry: { kind: 'exponential' as const, baseMs: 200, maxMs: 5_000 },
  };
}
