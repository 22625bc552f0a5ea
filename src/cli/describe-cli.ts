import type { Command } from 'commander';
import { createProgram } from './program.ts';

const INTRODUCTION = `# The command line

\`eventzr-jobs\` runs and operates the service over its HTTP API. In the project's folder:

    npx eventzr-jobs --help
    npm run --silent jobs -- --help

Both use the Node.js that comes with the project. Right after \`npm start\` no settings are needed on the same machine.
The program is not called \`jobs\` because every shell has a command of its own by that name.

Results go to standard output, everything else to standard error. With \`--json\` the result is one JSON document, or one
to a line for streams (\`events\`, \`--all\`); numbers keep all their digits. An error is then a JSON document on standard
error: \`{"error":{"code","message"}}\`, with the codes of [errors.md](errors.md).

    npx eventzr-jobs list --status dead_lettered --json | jq -r '.data[].id'
    npx eventzr-jobs projections verify || echo "exit code $?"

This page is what \`--help\` says; \`npm run docs:cli\` writes it.
`;

const WIDTH = 110;

/** docs/cli.md: the help of every command, one after the other. */
export function describeCli(): string {
  const program = createProgram();
  const sections = namedCommands(program).map(
    ({ name, command }) => `## ${name}\n\n\`\`\`text\n${helpOf(command).trim()}\n\`\`\`\n`,
  );
  return `${INTRODUCTION}\n${sections.join('\n')}`;
}

interface Named {
  readonly name: string;
  readonly command: Command;
}

/** Every command with its full name, groups before their parts. */
export function namedCommands(command: Command, name = command.name()): readonly Named[] {
  const parts = command.commands.flatMap((part) => namedCommands(part, `${name} ${part.name()}`));
  return [{ name, command }, ...parts];
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}
