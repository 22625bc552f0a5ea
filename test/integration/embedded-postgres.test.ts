import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/adapters/postgres/embedded-postgres.ts';
import { commandLine, processIdentity } from '../../src/adapters/process/process-identity.ts';
import { mayRunAsNobody, NOBODY } from '../support/ordinary-user.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROOT = process.getuid?.() === 0;

describe('an embedded PostgreSQL', () => {
  it('keeps its data and its address over a restart', async () => {
    await using place = await folder();
    const first = await startEmbeddedPostgres({ dataDir: place.dataDir });
    await query(first.url, 'create table kept as select 42 as answer');
    await first.stop();

    const second = await startEmbeddedPostgres({ dataDir: place.dataDir });
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    expect(second.url).toBe(first.url);
    await second.stop();
  });

  it('is durable, open to this machine only, and asks for a password', async () => {
    await using place = await folder();
    await using server = await running(place.dataDir);
    const setting = async (name: string) => (await query(server.url, `show ${name}`))[0]?.[name];
    expect(await setting('fsync')).toBe('on');
    expect(await setting('synchronous_commit')).toBe('on');
    expect(await setting('full_page_writes')).toBe('on');
    expect(await setting('listen_addresses')).toBe('127.0.0.1');

    const guess = new URL(server.url);
    guess.password = 'guess';
    await expect(query(guess.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(`${place.dataDir}/database-url`)).mode & 0o777).toBe(0o600);
    expect((await readFile(`${place.dataDir}/database-url`, 'utf8')).trim()).toBe(server.url);
  });

  it('is opened again when the file with its password is lost', async () => {
    await using place = await folder();
    await (await startEmbeddedPostgres({ dataDir: place.dataDir })).stop();
    await rm(`${place.dataDir}/database-url`);
    await using server = await running(place.dataDir);
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('comes back at the same address when it is killed', async () => {
    await using place = await folder();
    await using server = await running(place.dataDir);
    await query(server.url, 'create table kept as select 42 as answer');
    const killed = server.pid();
    process.kill(killed, 'SIGKILL');
    await waitUntil('PostgreSQL runs again', () => server.pid() !== killed);
    expect(await query(server.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('does not outlive a server that was killed', async () => {
    await using place = await folder();
    const server = await spawnServer(place.dataDir);
    await kill(server.process, 'SIGKILL');
    await waitUntil('PostgreSQL is gone', async () => (await processIdentity(server.pid)) === undefined);
  });

  it('is replaced when a killed server left it running', async () => {
    await using place = await folder();
    const server = await spawnServer(place.dataDir);
    await query(server.url, 'create table kept as select 42 as answer');
    await kill(server.process, 'SIGKILL');
    await using next = await running(place.dataDir);
    expect(await processIdentity(server.pid)).toBeUndefined();
    expect(await query(next.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  // Elsewhere processes are not found in /proc.
  it.skipIf(process.platform !== 'linux')(
    'is left alone by what saw to the one before, however late',
    async () => {
      await using place = await folder();
      const server = await spawnServer(place.dataDir);
      const guardian = await guardianOf(place.dataDir);
      process.kill(guardian, 'SIGSTOP');
      await kill(server.process, 'SIGKILL');
      await using next = await running(place.dataDir);
      const pid = next.pid();
      process.kill(guardian, 'SIGCONT');
      await waitUntil('the guardian has ended', async () => (await processIdentity(guardian)) === undefined);
      expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
      expect(next.pid()).toBe(pid);
    },
  );

  it('recovers when server and PostgreSQL were killed at once', async () => {
    await using place = await folder();
    const server = await spawnServer(place.dataDir);
    await query(server.url, 'create table kept as select 42 as answer');
    process.kill(server.pid, 'SIGKILL');
    await kill(server.process, 'SIGKILL');
    await using next = await running(place.dataDir);
    expect(await query(next.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('starts although its pid file names a living process of another kind', async () => {
    await using place = await folder();
    const server = await spawnServer(place.dataDir);
    process.kill(server.pid, 'SIGKILL');
    await kill(server.process, 'SIGKILL');
    const pidFile = `${place.dataDir}/postgres/postmaster.pid`;
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    // Of the same user: PostgreSQL ignores the others by itself.
    const { uid, gid } = await stat(pidFile);
    const bystander = spawn('sleep', ['60'], ROOT ? { uid, gid } : {});
    await writeFile(pidFile, [bystander.pid, ...lines.slice(1)].join('\n'));
    await using next = await running(place.dataDir);
    expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(bystander.exitCode).toBeNull();
    await kill(bystander, 'SIGKILL');
  });

  it('takes another port when its own is taken', async () => {
    await using place = await folder();
    const first = await startEmbeddedPostgres({ dataDir: place.dataDir });
    await first.stop();
    const { createServer } = await import('node:net');
    const squatter = createServer().listen(Number(new URL(first.url).port), '127.0.0.1');
    await once(squatter, 'listening');
    await using second = await running(place.dataDir);
    expect(second.url).not.toBe(first.url);
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    squatter.close();
  });

  it('refuses a second server on one folder, and lets it in after the first', async () => {
    await using place = await folder();
    const server = await spawnServer(place.dataDir);
    await expect(startEmbeddedPostgres({ dataDir: place.dataDir })).rejects.toMatchObject({
      code: 'data_folder_locked',
      message: expect.stringMatching(new RegExp(`process ${server.process.pid}.*already uses.*DATA_DIR`)),
    });
    await kill(server.process, 'SIGTERM');
    await using next = await running(place.dataDir);
    expect(next.url).toBe(server.url);
  });

  it('says what to do with a folder of another version', async () => {
    await using place = await folder();
    await (await startEmbeddedPostgres({ dataDir: place.dataDir })).stop();
    await writeFile(`${place.dataDir}/postgres/PG_VERSION`, '15\n');
    await expect(startEmbeddedPostgres({ dataDir: place.dataDir })).rejects.toMatchObject({
      code: 'data_folder_version',
      message: expect.stringMatching(/written by PostgreSQL 15.*has PostgreSQL 18.*DATA_DIR.*DATABASE_URL/),
    });
  });

  it('says what to do with a folder that is something else', async () => {
    await using place = await folder();
    await mkdir(`${place.dataDir}/postgres`, { recursive: true });
    await writeFile(`${place.dataDir}/postgres/holiday.jpg`, '');
    await expect(startEmbeddedPostgres({ dataDir: place.dataDir })).rejects.toMatchObject({
      code: 'data_folder_foreign',
      message: expect.stringMatching(/not a PostgreSQL data folder.*move it away/),
    });
    expect(await readFile(`${place.dataDir}/postgres/holiday.jpg`, 'utf8')).toBe('');
  });

  it('says what to do with a broken folder', async () => {
    await using place = await folder();
    await (await startEmbeddedPostgres({ dataDir: place.dataDir })).stop();
    await rm(`${place.dataDir}/postgres/global/pg_control`);
    await expect(startEmbeddedPostgres({ dataDir: place.dataDir })).rejects.toMatchObject({
      code: 'postgres_failed',
      message: expect.stringMatching(
        /cannot open .*could not find the database system.*Restore the folder from a backup/,
      ),
    });
  });

  it('begins anew when the first start was cut short', async () => {
    await using place = await folder();
    await mkdir(`${place.dataDir}/postgres.new/base`, { recursive: true });
    await using server = await running(place.dataDir);
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  if (ROOT) {
    it('runs for root below a folder that only root can enter', async () => {
      await using place = await folder();
      await chmod(place.path, 0o700);
      await using server = await running(`${place.path}/app/.data`);
      expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
      expect(await userOf(server.pid())).not.toBe(0);
    });
  }

  if (mayRunAsNobody()) {
    it('runs as the owner of the folder, so that root and the owner can start it in turn', async () => {
      await using place = await folder();
      await chown(place.path, NOBODY.uid, NOBODY.gid);
      const asRoot = await startEmbeddedPostgres({ dataDir: place.dataDir });
      await query(asRoot.url, 'create table kept as select 42 as answer');
      expect(await userOf(asRoot.pid())).toBe(NOBODY.uid);
      await asRoot.stop();

      const asOwner = await spawnServer(place.dataDir, NOBODY);
      expect(await query(asOwner.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await kill(asOwner.process, 'SIGTERM');

      await using again = await running(place.dataDir);
      expect(await query(again.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    });

    it('tells an ordinary user whose folder it is', async () => {
      await using place = await folder();
      const asRoot = await startEmbeddedPostgres({ dataDir: place.dataDir });
      await asRoot.stop();
      await chmod(place.path, 0o777);
      await expect(spawnServer(place.dataDir, { uid: 65533, gid: 65533 })).rejects.toThrow(
        /belongs to another user.*sudo chown -R.*DATA_DIR/,
      );
    });
  }
});

async function folder() {
  const place = await tempFolder();
  await chmod(place.path, 0o755);
  return {
    path: place.path,
    dataDir: `${place.path}/.data`,
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

async function running(dataDir: string): Promise<EmbeddedPostgres & AsyncDisposable> {
  const server = await startEmbeddedPostgres({ dataDir });
  return { ...server, [Symbol.asyncDispose]: server.stop };
}

async function spawnServer(dataDir: string, ids: { uid?: number; gid?: number } = {}) {
  const script = new URL('../support/embedded-server.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dataDir], { ...ids, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const answer = JSON.parse(line) as { url: string; pid: number; error?: string };
  if (answer.error) throw new Error(answer.error);
  return { ...answer, process: child };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

/** The shell that waits for the end of the server. */
async function guardianOf(dataDir: string): Promise<number> {
  for (const entry of await readdir('/proc')) {
    const words = await commandLine(Number(entry));
    if (words.startsWith('/bin/sh -c') && words.includes(`sh ${dataDir}/postgres`)) return Number(entry);
  }
  throw new Error('nothing waits for the end of the server');
}

async function userOf(pid: number): Promise<number> {
  return (await stat(`/proc/${pid}`)).uid;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
