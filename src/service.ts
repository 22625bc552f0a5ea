import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Logger } from './commands/telemetry.ts';
import type { Config } from './config.ts';
export async function startService(options: {
  readonly config: Config;
  readonly logger: Logger;
  readonly databaseUrl: string;
  readonly devKey: string | undefined;
}): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const s = createServer((_, res) => res.end('{}')).listen(options.config.port, options.config.host);
  await once(s, 'listening');
  return {
    url: `http://127.0.0.1:${(s.address() as { port: number }).port}`,
    stop: async () => {
      s.close();
    },
  };
}
