/** The text of a member of a JSON object exactly as it stands there; undefined when there is none. The text must be JSON. */
export function memberText(object: string, name: string): string | undefined {
  let depth = 0;
  let key: string | undefined;
  let start = -1;
  for (let at = 0; at < object.length; at += 1) {
    const character = object[at];
    if (character === '"') {
      const end = stringEnd(object, at);
      if (depth === 1 && start < 0) key = JSON.parse(object.slice(at, end));
      at = end - 1;
    } else if (depth === 1 && character === ':') {
      start = at + 1;
    } else if (depth === 1 && (character === ',' || character === '}')) {
      if (key === name && start >= 0) return object.slice(start, at).trim();
      start = -1;
      if (character === '}') return undefined;
    } else if (character === '{' || character === '[') {
      depth += 1;
    } else if (character === '}' || character === ']') {
      depth -= 1;
    }
  }
  return undefined;
}

/** Behind the closing quote of the string that begins there. */
function stringEnd(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
