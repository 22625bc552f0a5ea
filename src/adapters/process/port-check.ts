import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { commandLine } from './process-identity.ts';
import { StartupError } from './startup-error.ts';

const run = promisify(execFile);
const LISTENING = '0A';
const SHOWN_LENGTH = 80;

/** Throws a StartupError that says who has the port, or what else keeps the server from listening there. */
export async function checkPort(host: string, port: number): Promise<void> {
  const problem = await tryListening(host, port);
  if (problem === undefined) return;
  if (problem === 'EADDRINUSE') {
    const owner = await ownerOf(port);
    throw new StartupError(
      'port_busy',
      `port ${port} is taken${owner === undefined ? '' : ` by ${owner}`}; stop that, or use another port: npm start -- --port ${port + 1}`,
    );
  }
  if (problem === 'EACCES') {
    throw new StartupError(
      'port_busy',
      `port ${port} is reserved for root; use one above 1023 (PORT or --port)`,
    );
  }
  throw new StartupError(
    'host_invalid',
    `cannot listen on HOST=${host} (${problem}); use 127.0.0.1, 0.0.0.0, or an address of this machine`,
  );
}

async function tryListening(host: string, port: number): Promise<string | undefined> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, 'listening');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    probe.close();
  }
}

/** The process that listens on a port, for people; undefined when the system does not tell. */
async function ownerOf(port: number): Promise<string | undefined> {
  const pid = process.platform === 'linux' ? await listenerFromProc(port) : await listenerFromLsof(port);
  if (pid === undefined) return undefined;
  return `"${(await commandLine(pid)).slice(0, SHOWN_LENGTH)}" (process ${pid})`;
}

async function listenerFromProc(port: number): Promise<number | undefined> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const inodes = new Set(
    tables
      .flatMap((table) => table.split('\n').map((line) => line.trim().split(/\s+/)))
      .filter(([, local, , state]) => local?.endsWith(`:${hexPort}`) && state === LISTENING)
      .map((columns) => `socket:[${columns[9]}]`),
  );
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // The files of other users' processes are hidden.
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      if (inodes.has(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))) return Number(pid);
    }
  }
  return undefined;
}

async function listenerFromLsof(port: number): Promise<number | undefined> {
  try {
    const { stdout } = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']);
    return Number(stdout.split('\n')[0]) || undefined;
  } catch {
    return undefined;
  }
}
