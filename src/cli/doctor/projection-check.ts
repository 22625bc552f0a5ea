import type { JobsClient } from '../../sdk/client.ts';
import { ageText } from '../format.ts';
import { type Check, failed, ok, warning } from './check.ts';

/** Later than this, nobody would call a list current. */
const BEHIND_MS = 5_000;

/** Whether the read models keep up with the events. */
export const projectionCheck = (client: JobsClient): Check => ({
  name: 'read models',
  async run() {
    const projections = await client.projections.list();
    const faulted = projections.filter(({ status }) => status === 'faulted');
    const [broken] = faulted;
    if (broken) {
      const names = faulted.map(({ name }) => name).join(', ');
      const why = broken.lastError ? `: ${broken.lastError.message}` : '';
      // A rebuild reads the same event again; only a read model that is wrong about it is mended by one.
      const shared =
        faulted.length > 1 && new Set(faulted.map(({ lastError }) => lastError?.message)).size === 1;
      const fix = shared
        ? 'put that event right, as "A read model is faulted" in docs/operations.md says'
        : `projections rebuild ${broken.name}`;
      return failed(`${names} stands still${why}`, fix);
    }
    const waiting = projections.filter(({ status }) => status === 'waiting');
    if (waiting.length > 0) {
      const names = waiting.map(({ name }) => name).join(', ');
      return failed(`nobody maintains ${names}`, 'start a process whose ROLES include projections');
    }
    const late = projections.filter(({ lagMs }) => lagMs > BEHIND_MS);
    if (late.length === 0) return ok(`${projections.length} follow the events`);
    const names = late.map(({ name, lagMs }) => `${name} by ${ageText(lagMs)}`).join(', ');
    return warning(`behind: ${names}`, 'projections status shows whether they catch up');
  },
});
