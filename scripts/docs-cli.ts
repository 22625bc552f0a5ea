// Writes docs/cli.md from the help of every command.
import { writeFileSync } from 'node:fs';
import { describeCli } from '../src/cli/describe-cli.ts';

writeFileSync(new URL('../docs/cli.md', import.meta.url), describeCli());
