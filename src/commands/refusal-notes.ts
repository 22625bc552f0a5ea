import type { LimitName } from '../domain/tenant-quota/limits.ts';
import { quotaStream } from '../domain/tenant-quota/stream.ts';
import { ContendedError } from './contended-error.ts';
import type { Clock, Ids } from './ports.ts';
import type { KnownQuota, QuotaHandler } from './quota-handler.ts';
import { systemMetadata } from './system-metadata.ts';
import { type Logger, noLogger } from './telemetry.ts';

export interface RefusalNotesDeps {
  readonly handler: QuotaHandler;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger?: Logger | undefined;
  readonly changed: (tenantId: string, known: KnownQuota) => void;
}

/** A limit that refused jobs or put them off. */
export interface Exceeded {
  readonly limit: LimitName;
  readonly value: number;
  readonly used: number;
  readonly resetAt?: number | undefined;
}

interface Note {
  refused: number;
  /** When the last note went out; absent: none did. */
  sentAt: number | undefined;
  sending: boolean;
}

const NOTE_EVERY_MS = 60_000;
const MAX_NOTES = 10_000;

/**
 * Counts refusals and has them written down as QuotaExceeded: the first at once, then one a minute at most with how many
 * there were. Nobody waits for it. A count that no later refusal follows is told by metrics alone.
 */
export class RefusalNotes {
  readonly #deps: RefusalNotesDeps;
  readonly #notes = new Map<string, Note>();

  constructor(deps: RefusalNotesDeps) {
    this.#deps = deps;
  }

  add(tenantId: string, exceeded: Exceeded, refused: number): void {
    const note = this.#noteOf(`${tenantId}.${exceeded.limit}`);
    note.refused += refused;
    if (note.sending) return;
    const now = this.#deps.clock.now();
    if (note.sentAt !== undefined && Math.abs(now - note.sentAt) < NOTE_EVERY_MS) return;
    note.sentAt = now;
    note.sending = true;
    void this.#send(tenantId, exceeded, note, now);
  }

  async #send(tenantId: string, exceeded: Exceeded, note: Note, at: number): Promise<void> {
    const { handler, ids, logger = noLogger, changed } = this.#deps;
    const { refused } = note;
    note.refused = 0;
    const { limit, value, used, resetAt } = exceeded;
    try {
      const answer = await handler.handle({
        command: { type: 'NoteExceeded', limit, value, used, refused, resetAt, at },
        metadata: systemMetadata('quota', tenantId, ids.next(), at),
      });
      if (answer.kind !== 'accepted') throw new ContendedError(quotaStream(tenantId));
      changed(tenantId, { state: answer.state, revision: answer.revision });
      // Another process was faster within the minute: ours are told the next time.
      if (answer.events.length === 0) note.refused += refused;
    } catch (err) {
      note.refused += refused;
      logger.warn({ err, tenantId, limit }, 'refusals not written down yet');
    } finally {
      note.sending = false;
    }
  }

  #noteOf(key: string): Note {
    const present = this.#notes.get(key);
    if (present) return present;
    const note: Note = { refused: 0, sentAt: undefined, sending: false };
    this.#notes.set(key, note);
    if (this.#notes.size > MAX_NOTES) {
      const [oldest] = this.#notes.keys();
      if (oldest !== undefined) this.#notes.delete(oldest);
    }
    return note;
  }
}
