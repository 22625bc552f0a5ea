import { describe, expect, it } from 'vitest';
import { jsonText, plainText, shortText } from '../../src/cli/format.ts';

/** What a terminal obeys, in one byte or two, and what turns the direction of what is read. */
const STEERING = [
  '\u001b',
  '\u0007',
  '\r',
  '\u007f',
  '\u009b',
  '\u2028',
  '\u202e',
  '\u2066',
  '\u200f',
  '\u061c',
];

describe.each(STEERING.map((character) => [character.charCodeAt(0).toString(16), character]))(
  'the character %s from elsewhere',
  (_code, character) => {
    const text = `a${character}b`;

    it('is written out in names, reasons and errors', () => {
      expect(plainText(text)).toMatch(/^a\\[xu][0-9a-f]{2,4}b$/);
    });

    it('is a blank where only a line is shown', () => {
      expect(shortText(text, 80)).toBe('a b');
    });

    it('is escaped in payloads and results, which stay the same JSON', () => {
      const shown = jsonText({ [text]: text });
      expect(shown).not.toContain(character);
      expect(JSON.parse(shown)).toEqual({ [text]: text });
    });
  },
);

it('lines and tabs of long texts, and letters of every language, stay as they are', () => {
  expect(plainText('at a\n\tat b, naïve 名前 שם')).toBe('at a\n\tat b, naïve 名前 שם');
  expect(jsonText({ name: '名前 שם' })).toBe('{\n  "name": "名前 שם"\n}');
});
