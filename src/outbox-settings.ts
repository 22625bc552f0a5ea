import type { z } from 'zod';
import { setting, wholeNumber, yesOrNo } from './setting.ts';

/** How public events become rows for change data capture. */
export interface OutboxSettings {
  /** How long rows stay; 0: no longer than the transaction that inserts them. */
  readonly keepMs: number;
}

export const OUTBOX_SETTINGS = {
  OUTBOX_TABLE: setting(
    yesOrNo(),
    'false',
    '`true` writes public events into the table `eventzr.outbox`, for Debezium and the like: see docs/cdc.md',
  ),
  OUTBOX_KEEP_MS: setting(
    wholeNumber(0, 2_592_000_000),
    '3600000',
    'How long rows of that table stay. `0`: they are deleted by the transaction that inserts them',
  ),
} as const;

type Schemas = { [Name in keyof typeof OUTBOX_SETTINGS]: (typeof OUTBOX_SETTINGS)[Name]['schema'] };
export type OutboxValues = Readonly<z.infer<z.ZodObject<Schemas>>>;

/** undefined: no such table is written. */
export const outboxSettings = (values: OutboxValues): OutboxSettings | undefined =>
  values.OUTBOX_TABLE ? { keepMs: values.OUTBOX_KEEP_MS } : undefined;
