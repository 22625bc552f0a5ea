/** Into a member, into an element, or into all of either. A name also looks into the elements of an array. */
export type Step = { readonly name: string } | number | '*';

/** What is left of the paths that lead to where the reader stands. */
type Paths = readonly (readonly Step[])[];

const DEEPEST = 128;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;

/**
 * JSON text with the values at some paths replaced by a word; every other byte stays as it is. The text must be JSON. No
 * path hides all of it but the empty one.
 */
export function redactJson(text: string, paths: Paths, word: string): string {
  return new Redactor(text, JSON.stringify(word)).read(paths);
}

class Redactor {
  readonly #text: string;
  readonly #word: string;
  #at = 0;
  #written = '';
  /** Up to here the text is written, or left out. */
  #from = 0;

  constructor(text: string, word: string) {
    this.#text = text;
    this.#word = word;
  }

  read(paths: Paths): string {
    this.#value(paths, 0);
    return this.#written + this.#text.slice(this.#from);
  }

  #value(paths: Paths, depth: number): void {
    this.#blank();
    const code = this.#text.charCodeAt(this.#at);
    if (paths.length === 0) this.#skip();
    // What is nested too deep to look at might hide anything.
    else if (depth > DEEPEST || paths.some((steps) => steps.length === 0)) this.#hide();
    else if (code === OPEN_BRACE) this.#members(paths, depth);
    else if (code === OPEN_BRACKET) this.#elements(paths, depth);
    else this.#skip();
  }

  #members(paths: Paths, depth: number): void {
    this.#at += 1;
    for (this.#blank(); this.#text.charCodeAt(this.#at) !== CLOSE_BRACE; this.#blank()) {
      const name = this.#name();
      this.#blank();
      // The colon.
      this.#at += 1;
      this.#value(intoMember(paths, name), depth + 1);
      this.#blank();
      if (this.#text.charCodeAt(this.#at) === COMMA) this.#at += 1;
    }
    this.#at += 1;
  }

  #elements(paths: Paths, depth: number): void {
    this.#at += 1;
    this.#blank();
    for (let index = 0; this.#text.charCodeAt(this.#at) !== CLOSE_BRACKET; index += 1) {
      this.#value(intoElement(paths, index), depth + 1);
      this.#blank();
      if (this.#text.charCodeAt(this.#at) === COMMA) this.#at += 1;
      this.#blank();
    }
    this.#at += 1;
  }

  #name(): string {
    const start = this.#at;
    this.#skip();
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #hide(): void {
    this.#written += this.#text.slice(this.#from, this.#at) + this.#word;
    this.#skip();
    this.#from = this.#at;
  }

  /** Past the value that begins here, however deep it is. */
  #skip(): void {
    let depth = 0;
    do {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) this.#string();
      else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        depth += 1;
        this.#at += 1;
      } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
        depth -= 1;
        this.#at += 1;
      } else if (depth === 0) this.#scalar();
      else this.#at += 1;
    } while (depth > 0 && this.#at < this.#text.length);
  }

  #string(): void {
    this.#at += 1;
    for (let code = this.#text.charCodeAt(this.#at); code !== QUOTE; code = this.#text.charCodeAt(this.#at)) {
      if (this.#at >= this.#text.length) throw new Error('this is no JSON');
      this.#at += code === BACKSLASH ? 2 : 1;
    }
    this.#at += 1;
  }

  #scalar(): void {
    const start = this.#at;
    while (this.#at < this.#text.length && !/[\s,\]}]/.test(this.#text.charAt(this.#at))) this.#at += 1;
    if (this.#at === start) throw new Error('this is no JSON');
  }

  #blank(): void {
    while (/[ \t\r\n]/.test(this.#text.charAt(this.#at))) this.#at += 1;
  }
}

const intoMember = (paths: Paths, name: string): Paths =>
  paths
    .filter(([step]) => step === '*' || (typeof step === 'object' && step.name === name))
    .map(([, ...rest]) => rest);

const intoElement = (paths: Paths, index: number): Paths =>
  paths.flatMap(([step, ...rest]) => {
    if (typeof step === 'object') return [[step, ...rest]];
    return step === '*' || step === index ? [rest] : [];
  });
