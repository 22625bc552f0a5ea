import { fitsPattern } from '../../src/commands/inbound/subscription.ts';

// A regular expression tries every way to share the name out among the stars.
process.send?.(fitsPattern(`${'**a'.repeat(80)}b`, 'a'.repeat(249)));
