import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';

/** What else the machine was doing when the measuring began. */
const [loadBefore = 0] = loadavg();

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
  const others = `Load average before it began: ${loadBefore.toFixed(1)}.`;
  const origin = `Measured with \`${command}\` on ${machine}. ${others}`;
  await writeFile(file, `${head}\n\n${origin}\n${lines.join('\n')}\n\n${tail}`);
}
