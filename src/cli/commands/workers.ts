import { Command } from 'commander';
import { withExample } from '../example.ts';
import { sinceText } from '../format.ts';
import { sessionOf } from '../session.ts';

export function workerCommands(): Command {
  const command = new Command('workers').description('Programs that work on jobs: look, quiet, wake');
  for (const part of [list(), quiet(), wake()]) command.addCommand(part);
  return withExample(command, 'workers list');
}

function list(): Command {
  const command = new Command('list')
    .description('Workers that were heard of in the last hour')
    .action(async (_options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const workers = await client.workers.list();
      const rows = workers.map(({ id, directive, lastSeenAt }) => [id, directive, sinceText(lastSeenAt)]);
      await out.result(workers, () =>
        rows.length > 0 ? out.table(['WORKER', 'TOLD TO', 'SEEN'], rows) : 'no workers in the last hour',
      );
    });
  return withExample(command, 'workers list');
}

function quiet(): Command {
  const command = new Command('quiet')
    .description('Let a worker finish what it has and claim no more')
    .argument('<worker>', 'its id')
    .option('--terminate', 'it also gives back what it has, and stops')
    .action(async (id: string, { terminate = false }: { terminate?: boolean }, self: Command) => {
      const { out, client } = sessionOf(self);
      await client.workers.quiet(id, terminate ? { terminate } : {});
      const directive = terminate ? 'terminate' : 'quiet';
      await out.result({ worker: id, directive }, () => `${id} is told with its next heartbeat`);
    });
  return withExample(command, 'workers quiet mailer-1');
}

function wake(): Command {
  const command = new Command('wake')
    .description('Let a quiet worker claim again')
    .argument('<worker>', 'its id')
    .action(async (id: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      await client.workers.wake(id);
      await out.result({ worker: id, directive: 'run' }, () => `${id} is told with its next heartbeat`);
    });
  return withExample(command, 'workers wake mailer-1');
}
