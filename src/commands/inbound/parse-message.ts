import { asJsonText, type JsonText } from '../../domain/json-text.ts';
import { type JsonScan, scanJson } from '../json-scanner.ts';
import { ENVELOPES, type Opened } from './envelopes.ts';
import { type InboundEvent, type InboundMessage, InvalidMessageError } from './inbound-event.ts';

type Members = Readonly<Record<string, unknown>>;

/** Most events in one message. */
const MOST_EVENTS = 1_000;
const LIMITS = { maxDepth: 128, keep: new Set(['data', 'payload']), keepDepth: 2 };
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const JSON_TYPE = /^(application|text)\/(json|[\w.-]+\+json)\s*(;|$)/i;

/**
 * The events in a message: a CloudEvent in binary mode (attributes in `ce_…` or `ce-…` headers), or JSON that is an
 * envelope or a list of envelopes. Their data stays as it was written. Throws InvalidMessageError with everything that
 * is wrong.
 */
export function parseMessage(message: InboundMessage): readonly InboundEvent[] {
  const attributes = attributesIn(message.headers);
  if (attributes) return [binaryEvent(message, attributes)];
  const text = decode(message.value);
  const scan = scanned(text);
  const document: unknown = JSON.parse(text);
  const items = Array.isArray(document) ? document : [document];
  if (items.length > MOST_EVENTS) throw invalid('', `holds more than ${MOST_EVENTS} events`);
  return items.map((item: unknown, index) => {
    const pointer = Array.isArray(document) ? `/${index}` : '';
    if (!isObject(item)) throw invalid(pointer, 'is not an object');
    const opened = open(item, pointer);
    return toEvent(message, opened, item, pointer, dataOf(item, opened, pointer, scan));
  });
}

function open(document: Members, pointer: string): Opened {
  const envelope = ENVELOPES.find(({ claims }) => claims(document));
  if (!envelope) {
    throw invalid(pointer, `is no envelope known here: ${ENVELOPES.map(({ name }) => name).join('; ')}`);
  }
  const { data, error } = envelope.schema.safeParse(document);
  if (data) return data;
  throw new InvalidMessageError(
    error.issues.map(({ path, message }) => ({
      path: `${pointer}${path.map((part) => `/${String(part)}`).join('')}`,
      message: message.endsWith('received undefined') ? 'is required' : message,
    })),
  );
}

function dataOf(
  document: Members,
  { dataAt }: Opened,
  pointer: string,
  { slices }: JsonScan & { kind: 'clean' },
): JsonText {
  const written = slices.get(`${pointer}/${dataAt}`);
  if (written !== undefined) return asJsonText(written.replaceAll(/[\r\n]/g, ' '));
  const { data_base64: encoded, datacontenttype = 'application/json' } = document;
  if (typeof encoded !== 'string') return asJsonText('null');
  return contentOf(Buffer.from(encoded, 'base64'), String(datacontenttype), `${pointer}/data_base64`);
}

function binaryEvent(message: InboundMessage, attributes: Members): InboundEvent {
  const contentType = message.headers['content-type'] ?? 'application/json';
  const data = message.value.length === 0 ? asJsonText('null') : contentOf(message.value, contentType, '');
  const envelope = { ...attributes, datacontenttype: contentType };
  return toEvent(message, open(envelope, ''), envelope, '', data);
}

/** JSON as it is; text as a string; anything else in base64. */
function contentOf(bytes: Uint8Array, contentType: string, pointer: string): JsonText {
  if (JSON_TYPE.test(contentType)) {
    const text = decode(bytes);
    scanned(text, pointer);
    return asJsonText(text.replaceAll(/[\r\n]/g, ' '));
  }
  if (/^text\//i.test(contentType)) return asJsonText(JSON.stringify(decode(bytes)));
  return asJsonText(JSON.stringify(Buffer.from(bytes).toString('base64')));
}

function toEvent(
  { topic, key, headers, sentAt, place }: InboundMessage,
  opened: Opened,
  envelope: Members,
  pointer: string,
  data: JsonText,
): InboundEvent {
  const { id = `${place}${pointer}`, type, source, tenantId, time = sentAt } = opened;
  return {
    eventId: id,
    identity: 'specversion' in envelope ? `${source} ${id}` : id,
    type,
    source,
    tenantId,
    occurredAt: time,
    correlationId: opened.correlationId,
    // A broken one is ignored, as its specification asks.
    traceparent: TRACEPARENT.test(opened.traceparent ?? '') ? opened.traceparent : undefined,
    data,
    envelope,
    message: { topic: topic ?? type, key, headers },
  };
}

/** Names of headers are in lower case. */
export const isBinaryCloudEvent = (headers: InboundMessage['headers']): boolean =>
  headers.ce_specversion !== undefined || headers['ce-specversion'] !== undefined;

function attributesIn(headers: InboundMessage['headers']): Members | undefined {
  if (!isBinaryCloudEvent(headers)) return undefined;
  const names = Object.entries(headers).filter(([name]) => /^ce[_-]/.test(name));
  return Object.fromEntries(names.map(([name, value]) => [name.slice(3), value]));
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalid('', 'is not UTF-8');
  }
}

function scanned(text: string, pointer = ''): JsonScan & { kind: 'clean' } {
  const scan = scanJson(text, LIMITS);
  if (scan.kind === 'clean') return scan;
  const { fault } = scan;
  const place = `${pointer}${fault.pointer}`;
  throw invalid(place, `is not JSON that is taken here: ${fault.kind} at ${fault.offset}`);
}

const invalid = (path: string, message: string) => new InvalidMessageError([{ path, message }]);

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
