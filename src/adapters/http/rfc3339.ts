/** Milliseconds since 1970 as the API writes them. */
export const formatTime = (at: number): string => new Date(at).toISOString();

export const formatOptionalTime = (at: number | null | undefined): string | null =>
  at === null || at === undefined ? null : new Date(at).toISOString();

/** A time that the contract has checked. */
export const parseTime = (text: string): number => Date.parse(text);

export const parseOptionalTime = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(text);
