import type { Logger } from '../../commands/telemetry.ts';

interface MessagePlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** Messages that went wrong in the same way and that nothing was said about yet. */
interface Complaint {
  readonly event: string;
  messages: number;
  last: object;
}

const EVERY_MS = 5_000;

/**
 * Tells of messages that go wrong: of the first of a kind at once and in full, of those that follow with how many there
 * were, every few seconds. Thousands may fail for one reason.
 */
export class MessageComplaints {
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #open = new Map<string, Complaint>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Pick<Logger, 'warn'>) {
    this.#logger = logger;
  }

  /** `full`: what only the first line of its kind says. */
  add(event: string, reason: string, about: MessagePlace, full: object = {}): void {
    const kind = `${event} ${reason} ${about.topic}`;
    const known = this.#open.get(kind);
    if (known) {
      known.messages += 1;
      known.last = { ...about, reason };
      return;
    }
    this.#open.set(kind, { event, messages: 0, last: {} });
    this.#logger.warn({ ...full, ...about, reason, messages: 1 }, event);
    this.#timer ??= setInterval(() => this.#tell(), EVERY_MS).unref();
  }

  /** Tells of the last ones. */
  close(): void {
    this.#tell();
    this.#open.clear();
    this.#rest();
  }

  /** A kind that nothing was added to for a while begins anew. */
  #tell(): void {
    for (const [kind, complaint] of this.#open) {
      const { event, messages, last } = complaint;
      if (messages === 0) {
        this.#open.delete(kind);
        continue;
      }
      complaint.messages = 0;
      this.#logger.warn({ ...last, messages }, event);
    }
    if (this.#open.size === 0) this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
