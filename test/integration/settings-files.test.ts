import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDatabase } from '../support/database.ts';
import { startLiveApi } from '../support/live-api.ts';

describe.each(['SUBSCRIPTIONS_FILE', 'PLANS_FILE'])('the file in %s', (setting) => {
  it.each([
    ['is not there', undefined, /no such file/],
    ['is no JSON', '{"orders":', /JSON/],
    ['says what nobody understands', '{"orders":{"topik":"shop.orders"}}', /topik/],
  ])('keeps the service from starting when it %s', async (_, content, reason) => {
    await using database = await createDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'eventzr-settings-'));
    try {
      const file = join(folder, 'settings.json');
      if (content !== undefined) await writeFile(file, content);
      const starting = startLiveApi({ [setting]: file }, database);
      await expect(starting).rejects.toMatchObject({
        code: 'config_invalid',
        message: expect.stringMatching(new RegExp(`^${setting}: ${file}: [^]*${reason.source}`)),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
