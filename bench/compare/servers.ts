import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-postgres.ts';

export interface Server {
  readonly url: string;
  /** User and system time spent so far by the server and all its children, in µs. */
  cpuUs(): number;
  /** Forgets what earlier runs left behind; where there is one database for each run, there is no need. */
  empty?(): Promise<void>;
  stop(): Promise<void>;
}

/** The PostgreSQL that the product ships with, with the product's own settings, for every system that needs one. */
export async function startPostgres(): Promise<Server> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bench-postgres-'));
  const postgres = await startEmbeddedPostgres({ dataDir });
  return {
    url: postgres.url,
    cpuUs: () => treeCpuUs(postgres.pid()),
    async stop() {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Redis that loses nothing: every write is in the append-only file before it is answered. */
export async function startRedis(): Promise<Server> {
  const dir = await mkdtemp(join(tmpdir(), 'bench-redis-'));
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
  const child = spawn('redis-server', [...args, '--appendonly', 'yes', '--appendfsync', 'always'], {
    stdio: 'ignore',
  });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', () =>
      reject(new Error('redis-server was not found: install Redis 7 (Debian: apt-get install redis-server)')),
    );
  });
  await Promise.race([failed, pause(1000)]);
  return {
    url: `redis://127.0.0.1:${port}`,
    cpuUs: () => treeCpuUs(child.pid ?? 0),
    async empty() {
      await promisify(execFile)('redis-cli', ['-p', `${port}`, 'flushall']);
    },
    async stop() {
      await stopped(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function stopped(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([exit, pause(10_000)]);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Clock ticks are 10 ms on Linux. Children that have ended are counted by their parent. */
export function treeCpuUs(root: number): number {
  let ticks = 0;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = statOf(entry);
    if (!stat) continue;
    if (Number(entry) === root) ticks += stat.own + stat.children;
    else if (stat.parent === root) ticks += stat.own;
  }
  return ticks * 10_000;
}

function statOf(pid: string): { parent: number; own: number; children: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent = 0, , , , , , , , , , user = 0, system = 0, childUser = 0, childSystem = 0] = fields;
    return { parent, own: user + system, children: childUser + childSystem };
  } catch {
    return undefined;
  }
}
