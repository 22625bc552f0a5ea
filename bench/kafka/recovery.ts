import type { Position } from '../../src/commands/ports.ts';
import { append, forward, newPrefix, server } from './feed.ts';

export async function measureRecovery(): Promise<void> {
  const took = await recovery();
  if (took === undefined) return;
  console.log(`broker killed for 8 s: first event ${Math.round(took)} ms after it answers again`);
}

/** Milliseconds from the broker taking connections again until it has acknowledged an event. */
async function recovery(): Promise<number | undefined> {
  if (!server) return undefined;
  const prefix = newPrefix();
  let last: Position = 0n;
  const running = forward(prefix, (position) => {
    last = position;
  });
  const isAcknowledged = async (position: Position) => {
    while (last < position) await new Promise((resume) => setTimeout(resume, 5));
  };
  await isAcknowledged(await append(10));
  await server.kill();
  const position = await append(100);
  await new Promise((resume) => setTimeout(resume, 8_000));
  await server.start();
  const answeredAt = performance.now();
  await isAcknowledged(position);
  const took = performance.now() - answeredAt;
  await running.stop();
  return took;
}
