/** What a text is refused for. `pointer` is a JSON pointer (RFC 6901), '' for the whole document. */
export interface JsonFault {
  readonly kind: 'malformed' | 'too_deep' | 'duplicate_key' | 'forbidden_key' | 'bad_character';
  readonly pointer: string;
  /** Offset in the text, in UTF-16 units. */
  readonly offset: number;
}

export type JsonScan =
  /** `slices`: the text of the wanted members by JSON pointer, exactly as written. */
  | { readonly kind: 'clean'; readonly slices: ReadonlyMap<string, string> }
  | { readonly kind: 'fault'; readonly fault: JsonFault };

export interface JsonScanLimits {
  readonly maxDepth: number;
  /** Names of members whose text is kept. */
  readonly keep: ReadonlySet<string>;
  /** Members nested deeper than this are not looked at for `keep`. */
  readonly keepDepth: number;
}

/**
 * Reads JSON text once, without building it: finds what JSON.parse lets through but this service does not (two members
 * of one name, prototype names, NUL, lone surrogates, bottomless nesting) and keeps some members as they were written.
 */
export function scanJson(text: string, limits: JsonScanLimits): JsonScan {
  const scanner = new Scanner(text, limits);
  try {
    scanner.document();
    return { kind: 'clean', slices: scanner.slices };
  } catch (error) {
    if (error instanceof FaultFound) return { kind: 'fault', fault: error.fault };
    throw error;
  }
}

class FaultFound extends Error {
  readonly fault: JsonFault;
  constructor(fault: JsonFault) {
    super(fault.kind);
    this.fault = fault;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SCALAR = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPE = /["\\/bfnrt]|u[0-9a-fA-F]{4}/y;

class Scanner {
  readonly slices = new Map<string, string>();
  readonly #text: string;
  readonly #limits: JsonScanLimits;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string, limits: JsonScanLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  document(): void {
    this.#value();
    this.#blank();
    if (this.#at < this.#text.length) this.#fail('malformed');
  }

  #value(): void {
    this.#blank();
    switch (this.#text.charCodeAt(this.#at)) {
      case OPEN_BRACE:
        this.#object();
        return;
      case OPEN_BRACKET:
        this.#array();
        return;
      case QUOTE:
        this.#string();
        return;
      default:
        this.#scalar();
    }
  }

  #object(): void {
    this.#enter();
    const names = new Set<string>();
    if (this.#closes(CLOSE_BRACE)) return;
    do {
      this.#blank();
      const nameAt = this.#at;
      const name = this.#string();
      this.#path.push(name);
      if (name === '__proto__') this.#fail('forbidden_key', nameAt);
      if (name === 'prototype' && this.#path.at(-2) === 'constructor') this.#fail('forbidden_key', nameAt);
      if (names.has(name)) this.#fail('duplicate_key', nameAt);
      names.add(name);
      this.#expect(COLON);
      this.#member(name);
      this.#path.pop();
    } while (this.#continues(CLOSE_BRACE));
  }

  #member(name: string): void {
    this.#blank();
    const start = this.#at;
    this.#value();
    if (this.#path.length <= this.#limits.keepDepth && this.#limits.keep.has(name)) {
      this.slices.set(this.#pointer(), this.#text.slice(start, this.#at));
    }
  }

  #array(): void {
    this.#enter();
    if (this.#closes(CLOSE_BRACKET)) return;
    let index = 0;
    do {
      this.#path.push(index);
      this.#value();
      this.#path.pop();
      index += 1;
    } while (this.#continues(CLOSE_BRACKET));
  }

  #string(): string {
    const start = this.#at;
    if (this.#text.charCodeAt(start) !== QUOTE) this.#fail('malformed');
    let escaped = false;
    for (;;) {
      this.#at += 1;
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      // NaN, past the end of the text, is not >= 0x20 either.
      if (!(code >= 0x20)) this.#fail('malformed');
      if (code !== BACKSLASH) continue;
      escaped = true;
      ESCAPE.lastIndex = this.#at + 1;
      if (!ESCAPE.test(this.#text)) this.#fail('malformed');
      this.#at = ESCAPE.lastIndex - 1;
    }
    this.#at += 1;
    if (!escaped) return this.#text.slice(start + 1, this.#at - 1);
    const value = String(JSON.parse(this.#text.slice(start, this.#at)));
    if (value.includes('\u0000') || !value.isWellFormed()) this.#fail('bad_character', start);
    return value;
  }

  #scalar(): void {
    SCALAR.lastIndex = this.#at;
    if (!SCALAR.test(this.#text)) this.#fail('malformed');
    this.#at = SCALAR.lastIndex;
  }

  #enter(): void {
    if (this.#path.length >= this.#limits.maxDepth) this.#fail('too_deep');
    this.#at += 1;
  }

  #closes(close: number): boolean {
    this.#blank();
    if (this.#text.charCodeAt(this.#at) !== close) return false;
    this.#at += 1;
    return true;
  }

  #continues(close: number): boolean {
    if (this.#closes(close)) return false;
    this.#expect(COMMA);
    return true;
  }

  #expect(code: number): void {
    this.#blank();
    if (this.#text.charCodeAt(this.#at) !== code) this.#fail('malformed');
    this.#at += 1;
  }

  #blank(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #pointer(): string {
    return this.#path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  }

  #fail(kind: JsonFault['kind'], offset = this.#at): never {
    // The place where nesting went too deep would be a pointer of a hundred parts: its beginning says enough.
    const path = kind === 'too_deep' ? this.#path.splice(4) : [];
    const pointer = kind === 'malformed' ? '' : this.#pointer();
    this.#path.push(...path);
    throw new FaultFound({ kind, pointer, offset });
  }
}
