import { existsSync } from 'node:fs';
import { runCli } from './run-cli.ts';

// A reader that went away (head, a closed pager) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});
if (existsSync('.env')) process.loadEnvFile('.env');
process.exitCode = await runCli(process.argv.slice(2));
