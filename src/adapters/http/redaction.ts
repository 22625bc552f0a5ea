import { asJsonText, type JsonText } from '../../domain/json-text.ts';
import type { Role } from './principal.ts';
import { redactJson, type Step } from './redact-json.ts';

/** What stands where something is hidden. */
export const REDACTED = '[redacted]';

/** What a role must not see. */
export interface Redaction {
  /** A payload or result without what is hidden, and otherwise byte for byte. */
  content(text: JsonText): JsonText;
  error<Error extends ErrorWords>(error: Error): Error;
}

interface ErrorWords {
  readonly message: string;
  readonly stack?: string | null | undefined;
}

/** Roles without rules see everything. */
export type RedactionRules = Readonly<Partial<Record<Role, Redaction>>>;

const PATH = /^\$(?:\.[A-Za-z_][\w-]*|\.\*|\[\d{1,6}\]|\[\*\]|\['[^'\\]{1,100}'\]){0,20}$/;
const STEP = /\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']+)'\]|\.\*|\[\*\]/g;

/** A path of a rule; undefined when it is none. `error` is no path: it stands for the words of errors. */
export function redactionPath(text: string): readonly Step[] | undefined {
  if (!PATH.test(text)) return undefined;
  return Array.from(text.matchAll(STEP), ([, name, index, quoted]): Step => {
    const key = name ?? quoted;
    if (key !== undefined) return { name: key };
    return index === undefined ? '*' : Number(index);
  });
}

export function createRedaction(paths: readonly (readonly Step[])[], hidesErrors: boolean): Redaction {
  return {
    content: (text) => (paths.length === 0 ? text : asJsonText(redactJson(text, paths, REDACTED))),
    error: (error) =>
      hidesErrors ? { ...error, message: REDACTED, ...(error.stack && { stack: REDACTED }) } : error,
  };
}
