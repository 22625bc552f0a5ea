import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { amendCommand } from './commands/amend.ts';
import { auditCommand } from './commands/audit.ts';
import { cancelCommand } from './commands/cancel.ts';
import { deadLetterCommands } from './commands/dead-letters.ts';
import { doctorCommand } from './commands/doctor.ts';
import { enqueueCommand } from './commands/enqueue.ts';
import { eventCommands } from './commands/events.ts';
import { forwarderCommands } from './commands/forwarder.ts';
import { getCommand } from './commands/get.ts';
import { consumersCommand, inboxCommands } from './commands/inbox.ts';
import { keyCommands } from './commands/keys.ts';
import { listCommand } from './commands/list.ts';
import { operationCommands } from './commands/operations.ts';
import { planCommands } from './commands/plans.ts';
import { projectionCommands } from './commands/projections.ts';
import { queueCommands } from './commands/queues.ts';
import { quotaCommands } from './commands/quota.ts';
import { retryCommand } from './commands/retry.ts';
import { serveCommand } from './commands/serve.ts';
import { statsCommand } from './commands/stats.ts';
import { subscriptionCommands } from './commands/subscriptions.ts';
import { tenantCommands } from './commands/tenants.ts';
import { workerCommands } from './commands/workers.ts';
import { withExample } from './example.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';

const NOTES = `
Settings
  JOBS_URL      where the service is; standard: http://127.0.0.1:4000
  JOBS_API_KEY  key to it; not needed on the machine and in the folder where npm start runs
  JOBS_TENANT   the tenant to act for, where the key is for several
  DATABASE_URL  for keys and doctor: the service's database; standard: the embedded one in DATA_DIR
  NO_COLOR      set to anything: no colours

Exit codes
${EXIT_MEANINGS.map(([code, meaning]) => `  ${code}  ${meaning}`).join('\n')}`;

/** Every command, ready to be parsed or described. `writeErr` takes what is said about command lines not understood. */
export function createProgram(
  writeErr: (text: string) => void = (text) => process.stderr.write(text),
): Command {
  const program = new Command('eventzr-jobs')
    .description('Run and operate Eventzr Jobs. Ask any command for --help.')
    .option('--url <url>', 'address of the service (JOBS_URL)')
    .option('--json', 'answer for programs: one JSON document, or one to a line for streams')
    .version(version())
    .configureOutput({ writeErr })
    .configureHelp({ showGlobalOptions: true, sortOptions: false })
    .showSuggestionAfterError()
    .showHelpAfterError('Add --help to see what there is.')
    .helpCommand(false);
  withExample(program, `enqueue email.send '{"to":"ada@example.com"}'`, NOTES);
  const groups: readonly (readonly [string, readonly Command[]])[] = [
    [
      'Jobs',
      [enqueueCommand(), getCommand(), listCommand(), cancelCommand(), retryCommand(), amendCommand()],
    ],
    [
      'Operating',
      [
        deadLetterCommands(),
        operationCommands(),
        queueCommands(),
        workerCommands(),
        statsCommand(),
        eventCommands(),
        tenantCommands(),
        quotaCommands(),
        planCommands(),
        subscriptionCommands(),
        inboxCommands(),
        consumersCommand(),
      ],
    ],
    [
      'The service itself',
      [
        serveCommand(),
        projectionCommands(),
        forwarderCommands(),
        keyCommands(),
        auditCommand(),
        doctorCommand(),
      ],
    ],
  ];
  for (const [title, commands] of groups) {
    for (const command of commands) program.addCommand(command.helpGroup(`${title}:`));
  }
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  command.copyInheritedSettings(command.parent ?? command);
  for (const child of command.commands) throwInsteadOfExit(child);
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
