import { once } from 'node:events';
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { plainText } from './format.ts';

type Style = Parameters<typeof styleText>[0];

export interface OutputOptions {
  readonly json: boolean;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

const BARE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/**
 * What a command has to say: results to standard output, everything else to standard error. Nothing that it quotes steers
 * the terminal.
 */
export class Output {
  readonly json: boolean;
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;

  constructor({ json, stdout, stderr }: OutputOptions) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Whether a person watches what goes to standard error: progress bars belong there. */
  get watched(): boolean {
    return this.#stderr.isTTY === true && !this.json;
  }

  /** One result: a JSON document for programs, text for people. */
  result(document: unknown, text: () => string): Promise<void> {
    return this.json ? this.#write(JSON.stringify(document, null, 2)) : this.line(text());
  }

  /** One of many results, on a line of its own. */
  item(document: unknown, text: () => string): Promise<void> {
    return this.json ? this.#write(JSON.stringify(document)) : this.line(text());
  }

  line(text: string): Promise<void> {
    return this.#write(onlyColoured(text));
  }

  async #write(text: string): Promise<void> {
    // A reader that is slower than we are must not make us hold everything in memory.
    if (!this.#stdout.write(`${text}\n`)) await once(this.#stdout, 'drain');
  }

  /** For the person, never part of the result. */
  note(text: string): void {
    this.#stderr.write(`${plainText(text)}\n`);
  }

  /** Coloured when standard output is a terminal and NO_COLOR is not set. */
  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stdout });
  }

  table(head: readonly string[], rows: readonly (readonly string[])[]): string {
    const table = new Table({
      chars: BARE,
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
      head: head.map((name) => this.paint('bold', name)),
    });
    for (const row of rows) table.push(row.map(cellText));
    return withoutTrailingBlanks(table.toString());
  }

  /** Names and values, one to a line. */
  fields(entries: readonly (readonly [string, string | undefined])[]): string {
    const shown = entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined);
    const width = Math.max(...shown.map(([name]) => name.length));
    const indent = ' '.repeat(width + 2);
    return shown
      .map(
        ([name, value]) =>
          `${this.paint('bold', name.padEnd(width))}  ${plainOrPainted(value).replaceAll('\n', `\n${indent}`)}`,
      )
      .join('\n');
  }
}

// As styleText writes them: bold and colours, and their ends.
const BEGIN = String.raw`\x1b\[(?:1|[39]\d)m`;
const END = String.raw`\x1b\[(?:22|39)m`;
const COLOURS = new RegExp(`(${BEGIN}|${END})`);
const PAINTED = new RegExp(`^(${BEGIN})(.*)(${END})$`, 's');

/** Without what steers a terminal, but in one colour where all of it was painted so. */
function plainOrPainted(text: string): string {
  const [, before = '', painted = text, after = ''] = PAINTED.exec(text) ?? [];
  return before + plainText(painted) + after;
}

/** On one line: a row must not be broken by what it shows. */
const cellText = (text: string): string => plainOrPainted(text).replaceAll(/[\n\t]+/g, ' ');

/** The last word on everything: colours may be anywhere in a text by now, and nothing else of that kind. */
const onlyColoured = (text: string): string =>
  text
    .split(COLOURS)
    .map((part, index) => (index % 2 === 1 ? part : plainText(part)))
    .join('');

const withoutTrailingBlanks = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
