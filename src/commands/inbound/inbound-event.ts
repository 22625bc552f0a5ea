import type { JsonText } from '../../domain/json-text.ts';

/** A message as it came, from a topic or over HTTP. */
export interface InboundMessage {
  /** Of Kafka, or as a caller of the API says; undefined: the type of each event. */
  readonly topic: string | undefined;
  readonly key: string | null;
  readonly value: Uint8Array;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** When it was sent, milliseconds since 1970: for envelopes that do not say. */
  readonly sentAt: number;
  /** The same however often it is read: names events whose envelope has no id. */
  readonly place: string;
}

/** What another service says has happened, whatever envelope it came in. */
export interface InboundEvent {
  readonly eventId: string;
  /** Names the event among all of a tenant: source and id for CloudEvents, the id alone otherwise. */
  readonly identity: string;
  readonly type: string;
  readonly source: string | undefined;
  /** Whom the envelope says it is about. */
  readonly tenantId: string | undefined;
  /** Milliseconds since 1970. */
  readonly occurredAt: number;
  readonly correlationId: string | undefined;
  readonly traceparent: string | undefined;
  readonly data: JsonText;
  /** The envelope as it was parsed; of a CloudEvent in binary mode, its attributes. */
  readonly envelope: Readonly<Record<string, unknown>>;
  readonly message: Pick<InboundMessage, 'key' | 'headers'> & { readonly topic: string };
}

/** What is wrong with a message, and where: a JSON pointer, a header's name or '' for the whole. */
export interface InboundFault {
  readonly path: string;
  readonly message: string;
}

/** Nobody can make use of this message, however often it is read. */
export class InvalidMessageError extends Error {
  readonly code = 'invalid_message';
  readonly faults: readonly InboundFault[];
  constructor(faults: readonly InboundFault[]) {
    super(faults.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; '));
    this.faults = faults;
  }
}
