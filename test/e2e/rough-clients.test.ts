import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { apiKey, clientOf, type RunningService, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let server: RunningService;
let key: string;

beforeAll(async () => {
  database = await createDatabase();
  key = await apiKey(database.pool);
  server = await startServer({ DATABASE_URL: database.url });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

it('answers a body that is far too big instead of breaking the connection off', async () => {
  const client = clientOf(server.url, key, { tries: 1 });
  for (let n = 0; n < 5; n += 1) {
    await expect(client.enqueue('big', 'x'.repeat(8_000_000))).rejects.toMatchObject({
      status: 413,
      code: 'payload-too-large',
    });
  }
  expect((await client.enqueue('small', 'x')).status).toBe('queued');
});

it('answers what is no HTTP with a problem', async () => {
  for (const text of ['EHLO mail.example.com\r\n\r\n', 'FOO /v1/jobs HTTP/1.1\r\nhost: x\r\n\r\n']) {
    const [socket, answer] = await open();
    socket.write(text);
    await once(socket, 'close');
    const [head = '', body = ''] = answer().split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 400 .*content-type: application\/problem\+json/s);
    expect(JSON.parse(body)).toMatchObject({ status: 400, code: 'validation' });
  }
});

it('takes no more bodies at once than it has room for, and others are not kept waiting', async () => {
  const other = clientOf(server.url, await apiKey(database.pool), { tries: 1 });
  const sockets: Socket[] = [];
  const answers: (() => string)[] = [];
  for (let n = 0; n < 60; n += 1) {
    const [socket, answer] = await open();
    socket.write(
      `POST /v1/jobs/bulk HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n` +
        'content-type: application/json\r\ncontent-length: 4000000\r\n\r\n{"jobs":[',
    );
    sockets.push(socket);
    answers.push(answer);
  }
  const refused = () => answers.filter((answer) => answer().startsWith('HTTP/1.1 429')).length;
  await waitUntil('some are turned away', () => refused() >= 20);
  expect(refused()).toBeLessThan(40);
  expect((await other.enqueue('small', 'x')).status).toBe('queued');
  for (const socket of sockets) socket.destroy();
  const own = clientOf(server.url, key);
  await waitUntil('there is room again', () =>
    own.enqueueBulk([{ type: 'small', payload: 'x'.repeat(100_000) }]).catch(() => undefined),
  );
});

/** A connection, and all that came over it so far. */
async function open(): Promise<readonly [Socket, () => string]> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (part: string) => {
    text += part;
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return [socket, () => text];
}
