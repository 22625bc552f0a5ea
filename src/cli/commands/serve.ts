import { Command } from 'commander';
import { withExample } from '../example.ts';

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Start the service in this process, as npm start does')
    .option('--port <number>', 'port of the HTTP API (PORT)')
    .option('--roles <list>', 'what this process does, of api,projections,timers,forwarder,inbox (ROLES)')
    .option('--demo', 'enqueue and work some demo jobs')
    .action(async ({ port, roles, demo }: { port?: string; roles?: string; demo?: boolean }) => {
      const flags = [
        ...(port === undefined ? [] : ['--port', port]),
        ...(roles === undefined ? [] : ['--roles', roles]),
        ...(demo ? ['--demo'] : []),
      ];
      process.argv.splice(2, process.argv.length, ...flags);
      // The server's own entry point: it reads the settings, and says what is wrong with them.
      await import('../../main.ts');
    });
  return withExample(command, 'serve --port 4001');
}
