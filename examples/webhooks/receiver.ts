// A receiver that checks signatures, keeps every body it accepts in a file, and fails some on purpose.
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { fateOf } from './fate.ts';
import { SECRET } from './webhook-job.ts';

const FLAKY_TRIES = 2;
const MOST_BYTES = 1_000_000;

const [folder = '.data/received'] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const webhook = new Webhook(SECRET);
const tries = new Map<string, number>();

const server = createServer(async (request, response) => {
  const body = await bodyOf(request);
  const answer = body === undefined ? 413 : await receive(request.headers, body);
  response.writeHead(answer).end();
}).listen(Number(process.env.PORT ?? 4_100), process.env.HOST ?? '127.0.0.1');
await once(server, 'listening');
console.log(`receiving at http://127.0.0.1:${(server.address() as AddressInfo).port}/ into ${folder}`);

/** Answers a status. */
async function receive(headers: NodeJS.Dict<string | string[]>, body: Buffer): Promise<number> {
  try {
    webhook.verify(body, headers as Record<string, string>, { jsonParse: false });
  } catch {
    return 401;
  }
  const id = String(headers['webhook-id']);
  if (!/^[\w-]{1,100}$/.test(id)) return 400;
  const fate = fateOf(body);
  if (fate === 'refused') return 410;
  const count = (tries.get(id) ?? 0) + 1;
  tries.set(id, count);
  if (fate === 'flaky' && count <= FLAKY_TRIES) return 503;
  // A repetition writes the same again.
  await writeFile(`${folder}/${id}`, body);
  return 204;
}

async function bodyOf(request: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > MOST_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
