/** What one check found. A warning is worth knowing, a failure has to be put right. */
export interface Finding {
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}

export interface Check {
  readonly name: string;
  /** A rejection counts as a failure, its message as the detail. */
  run(): Promise<Finding>;
}

export const ok = (detail: string): Finding => ({ status: 'ok', detail });
export const skipped = (detail: string): Finding => ({ status: 'skipped', detail });
export const warning = (detail: string, fix: string): Finding => ({ status: 'warning', detail, fix });
export const failed = (detail: string, fix: string): Finding => ({ status: 'failed', detail, fix });
