import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';

/** Puts lines between the markers `<!-- name:start -->` and `<!-- name:end -->` of bench/README.md. */
export async function writeIntoReadme(
  name: string,
  command: string,
  lines: readonly string[],
): Promise<void> {
  const file = new URL('../README.md', import.meta.url);
  const text = await readFile(file, 'utf8');
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const head = text.slice(0, text.indexOf(start) + start.length);
  const tail = text.slice(text.indexOf(end));
  const machine = `${cpus().length} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`;
  const origin = `Measured with \`${command}\` on ${machine}.`;
  await writeFile(file, `${head}\n\n${origin}\n${lines.join('\n')}\n\n${tail}`);
}
