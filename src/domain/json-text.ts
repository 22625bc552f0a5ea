declare const jsonText: unique symbol;

/**
 * JSON kept as the text its caller wrote. Payloads and results belong to the caller: parsing and printing them again
 * would change big numbers and key order, so the domain carries them unread. Holds no line break outside strings.
 */
export type JsonText = string & { readonly [jsonText]: true };

/** Marks text that is already known to be valid JSON; it does not check. */
export const asJsonText = (text: string): JsonText => text as JsonText;
