import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type JsonFault, type JsonScanLimits, scanJson } from '../../commands/json-scanner.ts';
import { asJsonText, type JsonText } from '../../domain/json-text.ts';
import { HttpProblem } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** No body counts as an empty object. */
    readonly bodyOptional?: boolean;
    /** The media types of CloudEvents are taken, too. */
    readonly cloudEvents?: boolean;
  }
}

/** Deepest nesting of a body. */
export const MAX_JSON_DEPTH = 128;

/** One event whole in the body, and several. */
export const CLOUD_EVENTS = ['application/cloudevents+json', 'application/cloudevents-batch+json'] as const;

const LIMITS: JsonScanLimits = {
  maxDepth: MAX_JSON_DEPTH,
  keep: new Set(['payload', 'result']),
  keepDepth: 3,
};

/** Bodies as they were written, for the members that are kept byte for byte and for fingerprints. */
const written = new WeakMap<FastifyRequest, { text: Buffer; slices?: ReadonlyMap<string, string> }>();

/** Reads application/json bodies, and nothing else; the payload and result members stay available as written. */
export function registerJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', ...CLOUD_EVENTS],
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      refuseOtherEncodings(request);
      refuseCloudEvents(request);
      if (body.length === 0) return undefined;
      const { value, slices } = parseJson(body);
      written.set(request, { text: body, ...(slices && { slices }) });
      return value;
    },
  );
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined && request.routeOptions.config.bodyOptional) request.body = {};
    done();
  });
}

/** The body as it came in; empty when there was none. */
export const bodyBytes = (request: FastifyRequest): Buffer => written.get(request)?.text ?? Buffer.alloc(0);

/**
 * Text of a member of the body, given by JSON pointer together with its parsed value; undefined when it is absent.
 * Bodies in canonical form have no slices: there, printing the value gives back the very text.
 */
export function jsonTextAt(request: FastifyRequest, pointer: string, value: unknown): JsonText | undefined {
  if (value === undefined) return undefined;
  const slices = written.get(request)?.slices;
  const text = slices ? slices.get(pointer) : JSON.stringify(value);
  if (text === undefined) throw new Error(`no text was kept for ${pointer}`);
  return asJsonText(slices ? text.replace(/[\r\n]/g, ' ') : text);
}

/** What hides something that only a scan finds: escapes of NUL and surrogates, prototype names. */
const SUSPICIOUS = /\\u0000|\\ud[89a-f]|__proto__|"prototype"/;

function parseJson(body: Buffer): { value: unknown; slices?: ReadonlyMap<string, string> } {
  if (!isUtf8(body)) throw new HttpProblem('malformed-json', 'the body is not valid UTF-8');
  const text = body.toString('utf8');
  // JSON.stringify recurses: nothing deep may reach it.
  const deep = isDeeperThan(body, MAX_JSON_DEPTH);
  if (!deep) {
    const value = tryParse(text);
    // Text that prints back to itself has no second member of a name, no odd number and no blank: nothing to keep.
    if (value !== undefined && !SUSPICIOUS.test(text) && JSON.stringify(value) === text) return { value };
  }
  const scan = scanJson(text, LIMITS);
  if (scan.kind === 'fault') throw problemOf(scan.fault, text);
  return { value: JSON.parse(text), slices: scan.slices };
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isDeeperThan(body: Buffer, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === 0x22) inString = !inString;
    else if (inString) {
      if (byte === 0x5c) at += 1;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return false;
}

function problemOf(fault: JsonFault, text: string): HttpProblem {
  const detail = describe(fault, text);
  const code = fault.kind === 'malformed' ? 'malformed-json' : 'validation';
  return new HttpProblem(code, detail, { errors: [{ pointer: fault.pointer, detail }] });
}

function describe({ kind, offset }: JsonFault, text: string): string {
  switch (kind) {
    case 'malformed':
      return `the body is not valid JSON at position ${offset} (${lineAndColumn(text, offset)})`;
    case 'too_deep':
      return `nested deeper than ${MAX_JSON_DEPTH} levels`;
    case 'duplicate_key':
      return 'the same member is given twice';
    case 'forbidden_key':
      return 'members that name a prototype are not allowed';
    case 'bad_character':
      return 'NUL and lone surrogates are not allowed in strings';
  }
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

function refuseCloudEvents(request: FastifyRequest): void {
  const type = request.headers['content-type'] ?? '';
  if (request.routeOptions.config.cloudEvents || !/^application\/cloudevents/i.test(type)) return;
  throw new HttpProblem('unsupported-media-type', 'send application/json here');
}

function refuseOtherEncodings(request: FastifyRequest): void {
  const charset = /;\s*charset="?([^";]+)/i.exec(request.headers['content-type'] ?? '')?.[1];
  if (charset && !/^utf-?8$/i.test(charset.trim())) {
    throw new HttpProblem('unsupported-media-type', `send JSON in UTF-8, not ${charset}`);
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new HttpProblem('unsupported-media-type', 'send the body without a Content-Encoding');
  }
}
