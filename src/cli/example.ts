import type { Command } from 'commander';

/** How the program is called from the project's folder; `jobs` alone is a word of the shell itself. */
export const CALL = 'npx eventzr-jobs';

/** Ends a command's help with how it is used. */
export const withExample = (command: Command, example: string, notes = ''): Command =>
  command.addHelpText('after', `\nExample\n  ${CALL} ${example}${notes ? `\n${notes}` : ''}`);
