import type { InboundFault, InboundMessage } from './inbound-event.ts';

/** A message that nothing could be made of. Times are milliseconds since 1970. */
export interface InboxDeadLetter {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly groupId: string;
  readonly tenantId: string | null;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: InboundMessage['headers'];
  readonly sentAt: number;
  /** failed: it was right, but what it asks for could not be done. */
  readonly reason: 'invalid' | 'failed';
  readonly error: string;
  readonly stack: string | null;
  readonly faults: readonly InboundFault[] | null;
  readonly attempts: number;
  readonly failedAt: number;
  readonly editedAt: number | null;
  readonly editedBy: string | null;
  readonly status: 'waiting' | 'replayed';
  readonly replayedAt: number | null;
  readonly replayedBy: string | null;
}

export type NewInboxDeadLetter = Omit<
  InboxDeadLetter,
  'id' | 'failedAt' | 'editedAt' | 'editedBy' | 'status' | 'replayedAt' | 'replayedBy'
>;

export interface InboxDeadLetterFilter {
  readonly topic?: string | undefined;
  readonly status?: InboxDeadLetter['status'] | undefined;
  readonly reason?: InboxDeadLetter['reason'] | undefined;
  /** Part of it. */
  readonly error?: string | undefined;
  readonly tenantId?: string | undefined;
}

/** Ids of messages: those behind `after`, none behind `last`. */
export interface InboxDeadLetterSpan {
  readonly limit: number;
  readonly after?: string | undefined;
  readonly last: string;
}

/** `scope`: the tenant whose messages the caller may see; null is all of them. */
export interface InboxDeadLetters {
  /** Answers those that are not on their dead-letter topic yet; the same messages again are no others. */
  add(letters: readonly NewInboxDeadLetter[]): Promise<readonly InboxDeadLetter[]>;
  published(ids: readonly string[]): Promise<void>;
  /** Newest first; `before`: those that failed before this one. */
  list(
    scope: string | null,
    filter: InboxDeadLetterFilter,
    page: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<readonly InboxDeadLetter[]>;
  /** Oldest first. */
  listBetween(
    scope: string | null,
    filter: InboxDeadLetterFilter,
    span: InboxDeadLetterSpan,
  ): Promise<readonly InboxDeadLetter[]>;
  get(id: string, scope: string | null): Promise<InboxDeadLetter | undefined>;
  /** undefined: there is none that waits. */
  edit(
    id: string,
    scope: string | null,
    edit: { readonly value: Uint8Array; readonly by: string },
  ): Promise<InboxDeadLetter | undefined>;
  replayed(ids: readonly string[], by: string): Promise<void>;
}
