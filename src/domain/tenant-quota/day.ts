const DAY_MS = 86_400_000;

/** The UTC day of a time, as days since 1970. */
export const dayOf = (at: number): number => Math.floor(at / DAY_MS);

/** When a UTC day begins, milliseconds since 1970. */
export const startOfDay = (day: number): number => day * DAY_MS;
