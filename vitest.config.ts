import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/postgres-server.ts', 'test/support/eventstoredb/whole-run.ts'],
    // What these end hangs; a machine that is merely busy may take several times as long as usual.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Two cores: more workers only make the database wait for the tests.
    maxWorkers: 2,
  },
});
