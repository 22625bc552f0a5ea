export interface QueuePaused {
  readonly type: 'QueuePaused';
  readonly data: {
    readonly reason?: string | undefined;
    /** Resumes by itself at this time; absent: until somebody resumes it. */
    readonly until?: number | undefined;
  };
}

export interface QueueResumed {
  readonly type: 'QueueResumed';
  readonly data: { readonly reason?: string | undefined };
}

export interface QueueLimitChanged {
  readonly type: 'QueueLimitChanged';
  readonly data: {
    /** Most attempts that may run at once; null: no limit. */
    readonly concurrencyLimit: number | null;
    readonly reason?: string | undefined;
  };
}

export type QueueEvent = QueuePaused | QueueResumed | QueueLimitChanged;
