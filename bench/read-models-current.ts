import type { Engine } from '../src/engine.ts';

/** Resolves when all read models of a running engine show the whole log. It waits, and does not ask: asking is work. */
export async function readModelsCurrent(engine: Engine, giveUpMs = 300_000): Promise<void> {
  const { freshness, log, projections } = engine.parts;
  const head = await log.head();
  for (const { name } of projections) {
    if (!(await freshness.waitFor(name, head, giveUpMs))) throw new Error(`${name} did not catch up`);
  }
}
