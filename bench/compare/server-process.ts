import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { treeCpuUs } from './servers.ts';

export const SERVICE = new URL('../../src/main.ts', import.meta.url).pathname;
export const BARE_SERVER = new URL('./bare-server.ts', import.meta.url).pathname;

/** A server in a process of its own, once it is ready. */
export async function startServer(script: string, databaseUrl: string) {
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, DATABASE_URL: databaseUrl, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) {
    const entry = JSON.parse(line);
    if (entry.event !== 'server.ready') continue;
    child.stdout.resume();
    return {
      url: entry.url as string,
      cpuUs: () => treeCpuUs(child.pid ?? 0),
      async stop() {
        child.kill('SIGTERM');
        await once(child, 'exit');
      },
    };
  }
  throw new Error('the server did not start');
}
