/**
 * The key now stands for this job. There is no event for letting go: a key whose job has finished is free, and the next
 * one to take it says so by taking it.
 */
export interface DedupeKeyTaken {
  readonly type: 'DedupeKeyTaken';
  readonly data: { readonly jobId: string };
}

export type DedupeKeyEvent = DedupeKeyTaken;
