import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { checkDatabase } from '../../src/adapters/postgres/check-database.ts';

describe('a database given from outside', () => {
  it('is taken when it answers', async () => {
    await checkDatabase(given().href);
  });

  it('is refused by name when it does not exist', async () => {
    const url = given();
    url.pathname = '/nowhere';
    await expect(checkDatabase(url.href)).rejects.toMatchObject({
      code: 'database_missing',
      message: expect.stringMatching(/no database "nowhere" at .*createdb/),
    });
  });

  it('is refused without the password when it lets nobody in', async () => {
    const url = given();
    url.username = 'stranger';
    url.password = 'hunter2';
    const refusal: Error = await checkDatabase(url.href).then(Promise.reject, (error) => error);
    expect(refusal).toMatchObject({ code: 'database_auth' });
    expect(refusal.message).toMatch(/does not let user "stranger" in.*DATABASE_URL/);
    expect(refusal.message).not.toContain('hunter2');
  });

  it('is refused when it wants a password and the URL has none', async () => {
    await using server = await answering(...asksForPassword());
    await expect(checkDatabase(`postgres://ada@127.0.0.1:${server.port}/jobs`)).rejects.toMatchObject({
      code: 'database_auth',
      message: expect.stringMatching(
        /does not let user "ada" in: it wants a password; check user and password/,
      ),
    });
  });

  it('is refused in its own words when it has no connection left', async () => {
    await using server = await answering(refusal('53300', 'too many connections for role "ada"'));
    await expect(checkDatabase(`postgres://ada@127.0.0.1:${server.port}/jobs`)).rejects.toMatchObject({
      code: 'database_refused',
      message: expect.stringMatching(
        /^PostgreSQL at 127\.0\.0\.1:\d+ refuses: too many connections for role "ada"$/,
      ),
    });
  });

  it('is refused when it has no TLS and the URL wants it', async () => {
    await using server = await answering(Buffer.from('N'));
    const url = `postgres://ada@127.0.0.1:${server.port}/jobs?sslmode=verify-full`;
    await expect(checkDatabase(url)).rejects.toMatchObject({
      code: 'database_tls',
      message: expect.stringMatching(/does not support SSL.*check sslmode and sslrootcert/),
    });
  });

  it('is refused when a file that the URL names does not exist', async () => {
    await expect(
      checkDatabase('postgres://127.0.0.1/jobs?sslmode=verify-full&sslrootcert=/nowhere.pem'),
    ).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(/^DATABASE_URL can't be used: .*\/nowhere\.pem/),
    });
  });

  it('is refused when its encoding cannot hold every payload', async () => {
    await using database = await databaseWith(`encoding 'LATIN1'`);
    await expect(checkDatabase(database.url)).rejects.toMatchObject({
      code: 'database_encoding',
      message: expect.stringMatching(/has the encoding LATIN1.*--encoding UTF8/),
    });
  });

  it('is named by its socket', async () => {
    await expect(checkDatabase('postgres://%2Fnowhere/jobs')).rejects.toMatchObject({
      code: 'database_refused',
      message: expect.stringMatching(/^no PostgreSQL answers at \/nowhere \(ENOENT\)/),
    });
  });

  it('is refused when nothing answers', async () => {
    await expect(checkDatabase('postgres://127.0.0.1:1/jobs')).rejects.toMatchObject({
      code: 'database_refused',
      message: expect.stringMatching(/no PostgreSQL answers at 127\.0\.0\.1:1 \(ECONNREFUSED\)/),
    });
  });
});

function given(): URL {
  return new URL(process.env.DATABASE_URL ?? '');
}

/** A server that answers what it is sent with these, one after the other, whatever it is. */
async function answering(
  ...answers: readonly Buffer[]
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    const left = [...answers];
    socket.on('data', () => socket.write(left.shift() ?? Buffer.alloc(0)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function asksForPassword(): readonly Buffer[] {
  return [
    message('R', Buffer.from('\0\0\0\x0aSCRAM-SHA-256\0\0')),
    message('R', Buffer.from('\0\0\0\x0br=nonce,s=c2FsdA==,i=4096')),
  ];
}

function refusal(code: string, text: string): Buffer {
  return message('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`));
}

function message(kind: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(kind), length, body]);
}

async function databaseWith(options: string): Promise<AsyncDisposable & { readonly url: string }> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await execute(`create database ${name} template template0 locale 'C' ${options}`);
  const url = given();
  url.pathname = `/${name}`;
  return {
    url: url.href,
    [Symbol.asyncDispose]: () => execute(`drop database ${name} with (force)`),
  };
}

async function execute(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: given().href });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
