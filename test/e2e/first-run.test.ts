import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { processIdentity } from '../../src/adapters/process/process-identity.ts';
import { npmStart, type ReadyLine } from '../support/npm-start.ts';
import { mayRunAsNobody, NOBODY } from '../support/ordinary-user.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

const run = promisify(execFile);

describe('npm start', () => {
  it('gives a service whose example works when pasted, and that keeps its data over a restart', async () => {
    await using place = await tempFolder();
    const dataDir = `${place.path}/data`;
    let jobId: string;
    let key: string;
    {
      await using server = npmStart({ dataDir });
      const ready = await server.ready();
      jobId = await paste(ready);
      key = ready.devKey;
      expect(await getJob(ready, jobId)).toMatchObject({ id: jobId, payload: { to: 'ada@example.com' } });
      expect((await fetch(ready.docs)).status).toBe(200);
      server.process.kill('SIGTERM');
      expect(await server.ended()).toBe(0);
    }
    await using server = npmStart({ dataDir });
    const ready = await server.ready();
    expect(ready.devKey).toBe(key);
    expect(await getJob(ready, jobId)).toMatchObject({ id: jobId });
  });

  it('stops on SIGTERM: ends long polls, cuts off what takes too long, and leaves no PostgreSQL behind', async () => {
    await using place = await tempFolder();
    await using server = npmStart({ dataDir: `${place.path}/data`, env: { SHUTDOWN_MS: '2000' } });
    const ready = await server.ready();
    const postgres = await postgresPid(`${place.path}/data`);
    const poll = fetch(`${ready.url}/v1/claims`, {
      method: 'POST',
      headers: headers(ready),
      body: JSON.stringify({ workerId: 'poller', queues: ['*'], max: 1, leaseMs: 30_000, waitMs: 30_000 }),
    });
    const stuck = await halfARequest(ready);
    await waitUntil('the poll has arrived', async () =>
      JSON.stringify(await get(ready, '/v1/workers')).includes('poller'),
    );
    process.kill(ready.pid, 'SIGTERM');
    expect(await server.ended()).toBe(0);
    expect((await poll).status).toBe(204);
    stuck.destroy();
    expect(await processIdentity(postgres)).toBeUndefined();
    expect(server.output()).toContain('server.stopped');
  });

  it('exits at once on a second Ctrl-C', async () => {
    await using place = await tempFolder();
    await using server = npmStart({ dataDir: `${place.path}/data`, env: { SHUTDOWN_MS: '600000' } });
    const ready = await server.ready();
    const stuck = await halfARequest(ready);
    process.kill(ready.pid, 'SIGINT');
    await waitUntil('the service is stopping', () => server.output().includes('server.stopping'));
    // Signals in quick succession are one keystroke, passed on by npm.
    await waitUntil('the second is taken for a second one', async () => {
      if ((await processIdentity(ready.pid)) === undefined) return true;
      try {
        process.kill(ready.pid, 'SIGINT');
        return false;
      } catch {
        // It has just ended.
        return true;
      }
    });
    expect(await server.ended()).not.toBe(0);
    stuck.destroy();
  });

  it('keeps everything when the server is killed', async () => {
    await using place = await tempFolder();
    const dataDir = `${place.path}/data`;
    const first = npmStart({ dataDir });
    const before = await first.ready();
    const jobId = await paste(before);
    process.kill(before.pid, 'SIGKILL');
    await first.ended();
    await using second = npmStart({ dataDir });
    expect(await getJob(await second.ready(), jobId)).toMatchObject({ id: jobId });
  });

  it('keeps everything when server and PostgreSQL are killed at once', async () => {
    await using place = await tempFolder();
    const dataDir = `${place.path}/data`;
    const first = npmStart({ dataDir });
    const before = await first.ready();
    const jobId = await paste(before);
    process.kill(await postgresPid(dataDir), 'SIGKILL');
    process.kill(before.pid, 'SIGKILL');
    await first.ended();
    await using second = npmStart({ dataDir });
    expect(await getJob(await second.ready(), jobId)).toMatchObject({ id: jobId });
  });

  it('goes on when PostgreSQL is killed under it', async () => {
    await using place = await tempFolder();
    const dataDir = `${place.path}/data`;
    await using server = npmStart({ dataDir });
    const ready = await server.ready();
    const jobId = await paste(ready);
    process.kill(await postgresPid(dataDir), 'SIGKILL');
    await waitUntil('jobs are taken again', () => paste(ready).catch(() => undefined));
    expect(await getJob(ready, jobId)).toMatchObject({ id: jobId });
  });

  it('says who has its port before it starts anything', async () => {
    await using place = await tempFolder();
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as { port: number };
    await using server = npmStart({ dataDir: `${place.path}/data`, env: { PORT: String(port) } });
    expect(await server.ended()).toBe(1);
    expect(complaint(server.output())).toMatch(
      new RegExp(`^port ${port} is taken.*npm start -- --port ${port + 1}$`),
    );
    await expect(readFile(`${place.path}/data`)).rejects.toMatchObject({ code: 'ENOENT' });
    squatter.close();
  });

  it('refuses to run twice in one folder', async () => {
    await using place = await tempFolder();
    await using first = npmStart({ dataDir: `${place.path}/data` });
    const { pid, ...ready } = await first.ready();
    await using second = npmStart({ dataDir: `${place.path}/data` });
    expect(await second.ended()).toBe(1);
    expect(complaint(second.output())).toMatch(new RegExp(`process ${pid}\\) already uses .*DATA_DIR$`));
    expect((await fetch(ready.docs)).status).toBe(200);
  });

  it('says in one line what is wrong with the data folder, the settings or the database', async () => {
    await using place = await tempFolder();
    await mkdir(`${place.path}/old/postgres`, { recursive: true });
    await writeFile(`${place.path}/old/postgres/PG_VERSION`, '13\n');
    expect(await complaintOf({ DATA_DIR: `${place.path}/old` })).toMatch(
      /written by PostgreSQL 13.*DATABASE_URL$/,
    );
    expect(await complaintOf({ SHUTDOWN_MS: 'soon' })).toMatch(/SHUTDOWN_MS/);
    expect(await complaintOf({ DATABASE_URL: 'postgres://127.0.0.1:1/jobs' })).toMatch(
      /no PostgreSQL answers at 127.0.0.1:1/,
    );
  });

  if (mayRunAsNobody()) {
    it('works for an ordinary user', async () => {
      await using place = await tempFolder();
      await chmod(place.path, 0o777);
      const env = { HOME: place.path };
      await using server = npmStart({ dataDir: `${place.path}/data`, env, ids: NOBODY });
      const ready = await server.ready();
      expect(await getJob(ready, await paste(ready))).toMatchObject({ type: 'email.send' });
      process.kill(ready.pid, 'SIGTERM');
      expect(await server.ended()).toBe(0);
    });
  }
});

/** Runs the example in a shell. Answers the id of the job. */
async function paste(ready: ReadyLine): Promise<string> {
  const { stdout } = await run('/bin/sh', ['-c', ready.example]);
  const job = JSON.parse(stdout) as { id?: string };
  if (job.id === undefined) throw new Error(`the example answered ${stdout}`);
  return job.id;
}

function getJob(ready: ReadyLine, id: string): Promise<unknown> {
  return get(ready, `/v1/jobs/${id}`);
}

async function get(ready: ReadyLine, path: string): Promise<unknown> {
  return (await fetch(`${ready.url}${path}`, { headers: headers(ready) })).json();
}

function headers({ devKey }: ReadyLine): Record<string, string> {
  return { authorization: `Bearer ${devKey}`, 'content-type': 'application/json' };
}

/** A request whose body never ends. */
async function halfARequest(ready: ReadyLine) {
  const { hostname, port } = new URL(ready.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  const head = `POST /v1/jobs HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${ready.devKey}\r\n`;
  // The server asks for the body once it has the head: from then on the request is under way.
  socket.write(
    `${head}content-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.write('{"type":');
  return socket;
}

async function postgresPid(dataDir: string): Promise<number> {
  return Number((await readFile(`${dataDir}/postgres/postmaster.pid`, 'utf8')).split('\n')[0]);
}

async function complaintOf(env: Record<string, string>): Promise<string> {
  await using place = await tempFolder();
  await using server = npmStart({ dataDir: `${place.path}/data`, env });
  expect(await server.ended()).toBe(1);
  return complaint(server.output());
}

/** The one line that the service prints when it cannot start. */
function complaint(output: string): string {
  const lines = output.split('\n').filter((line) => line.startsWith('eventzr-jobs: '));
  expect(lines).toHaveLength(1);
  return (lines[0] ?? '').replace('eventzr-jobs: ', '');
}
