import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactJson, type Step } from '../../src/adapters/http/redact-json.ts';

const name = (text: string): Step => ({ name: text });
const hide = (text: string, ...paths: Step[][]) => redactJson(text, paths, '*');

describe('hiding parts of JSON', () => {
  it.each<[string, string, Step[], string]>([
    ['a member', '{"a":1,"b":2}', [name('a')], '{"a":"*","b":2}'],
    ['a member within', '{"a":{"b":[1,{}]},"b":0}', [name('a'), name('b')], '{"a":{"b":"*"},"b":0}'],
    ['an element', '[1,[2],3]', [1], '[1,"*",3]'],
    ['all elements', '[{"a":1},{"a":2}]', ['*', name('a')], '[{"a":"*"},{"a":"*"}]'],
    ['all members', '{"x":{"a":1},"y":{"a":2}}', ['*', name('a')], '{"x":{"a":"*"},"y":{"a":"*"}}'],
    ['members of elements, without saying so', '[[{"a":1}]]', [name('a')], '[[{"a":"*"}]]'],
    ['everything', ' {"a":1} ', [], ' "*" '],
    ['a name that is escaped', '{"\\u0061":1}', [name('a')], '{"\\u0061":"*"}'],
    ['a name with quotes in it', '{"a\\"b":1}', [name('a"b')], '{"a\\"b":"*"}'],
    ['both of a name that comes twice', '{"a":1,"a":2}', [name('a')], '{"a":"*","a":"*"}'],
    ['nothing that is not there', '{"b":{"a":1}}', [name('a')], '{"b":{"a":1}}'],
    ['nothing in texts that look like JSON', '{"b":"{\\"a\\":1}"}', [name('a')], '{"b":"{\\"a\\":1}"}'],
    ['a scalar', '7', [name('a')], '7'],
  ])('hides %s', (_, text, path, expected) => {
    expect(hide(text, path)).toBe(expected);
  });

  it('leaves every other byte as it is', () => {
    const text = '{ "n" : 12345678901234567890.10 ,\n "s":"\\u00e9\\/", "a" : { } , "z":[ ]}';
    expect(hide(text, [name('a')])).toBe(text.replace('{ } ', '"*" '));
    expect(hide(text, [name('q')])).toBe(text);
  });

  it('hides what is nested too deep to be looked at', () => {
    const deep = `${'['.repeat(5_000)}{"a":1}${']'.repeat(5_000)}`;
    expect(hide(deep, [name('a')])).not.toContain('"a"');
    expect(hide(`{"b":${deep}}`, [name('a')])).toBe(`{"b":${deep}}`);
  });

  it('leaves JSON, and the same as hiding in the value, whatever the document', () => {
    // Without a key that is one backslash: JSON.parse of Node 24 takes a quote for it in objects of the same shape.
    const keys = fc.constantFrom('a', 'b', 'c', '"', '\\n', 'é');
    const { value: document } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, 0, -1.5e-7, 'text, "quoted" \\ ]}'),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
      ),
    }));
    const step = fc.oneof(keys.map(name), fc.constant<Step>('*'), fc.nat(3));
    const path = fc.array<Step>(step, { minLength: 1, maxLength: 3 });
    const space = fc.constantFrom(0, 2);
    fc.assert(
      fc.property(document, path, space, (value, steps, indent) => {
        const text = JSON.stringify(value, null, indent);
        const hidden = JSON.parse(redactJson(text, [steps], '*'));
        expect(JSON.stringify(hidden)).toBe(JSON.stringify(naive(value, steps)));
      }),
    );
  });
});

function naive(value: unknown, [step, ...rest]: readonly Step[]): unknown {
  if (step === undefined) return '*';
  if (Array.isArray(value)) {
    if (typeof step === 'object') return value.map((item) => naive(item, [step, ...rest]));
    return value.map((item, index) => (step === '*' || step === index ? naive(item, rest) : item));
  }
  if (typeof value !== 'object' || value === null || typeof step === 'number') return value;
  const members = Object.entries(value).map(([key, item]) => [
    key,
    step === '*' || step.name === key ? naive(item, rest) : item,
  ]);
  return Object.fromEntries(members);
}
