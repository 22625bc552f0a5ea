/** Times are milliseconds since 1970. None of these is ever refused. */
export type QueueCommand =
  | {
      readonly type: 'PauseQueue';
      readonly reason?: string | undefined;
      readonly until?: number | undefined;
      readonly at: number;
    }
  | { readonly type: 'ResumeQueue'; readonly reason?: string | undefined; readonly at: number }
  | {
      readonly type: 'LimitQueue';
      readonly concurrencyLimit: number | null;
      readonly reason?: string | undefined;
      readonly at: number;
    };
