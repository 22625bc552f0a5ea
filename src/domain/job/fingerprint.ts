/** Longer messages differ by their beginnings, and normalising stays cheap. */
const MAX_CHARACTERS = 1000;

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
/** Quotes count only around a word, so the apostrophes of `can't … won't` are not taken for a pair. */
const QUOTED = /(?<!\w)(?:'[^']*'|"[^"]*"|`[^`]*`)(?!\w)/g;
/** 0x-prefixed, or at least eight hexadecimal digits with a decimal one among them. */
const HEX = /\b0x[0-9a-f]+\b|\b(?=[a-f]*[0-9])[0-9a-f]{8,}\b/gi;
const NUMBER = /[0-9]+(?:[.,][0-9]+)*/g;
const SPACE = /\s+/g;

/** The message without what differs from one occurrence to the next: ids, addresses, numbers, quoted values. */
export function normaliseMessage(message: string): string {
  return message
    .slice(0, MAX_CHARACTERS)
    .replace(UUID, '<id>')
    .replace(QUOTED, '<text>')
    .replace(HEX, '<hex>')
    .replace(NUMBER, '<n>')
    .replace(SPACE, ' ')
    .trim();
}

/**
 * Groups errors that are alike: the same type and the same message but for ids, numbers and quoted values give the same
 * 16 hexadecimal digits, today and in every later version (dead letters are grouped by stored fingerprints).
 */
export function errorFingerprint(error: { readonly type: string; readonly message: string }): string {
  return fnv1a64(`${error.type}\n${normaliseMessage(error.message)}`);
}

/** FNV-1a, 64 bits, as hexadecimal digits. Held as two 32-bit halves: BigInt would be a hundred times slower. */
export function fnv1a64(text: string): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  const mix = (byte: number): void => {
    low = (low ^ byte) >>> 0;
    // Times the prime 2^40 + 0x1b3; every intermediate value stays below 2^53.
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 0x1_0000_0000) + low * 0x100) % 0x1_0000_0000;
    low = product % 0x1_0000_0000;
  };
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    mix(unit & 0xff);
    if (unit > 0xff) mix(unit >>> 8);
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
