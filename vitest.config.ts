import {cloudflareTest} from '@cloudflare/vitest-plugin';
import {defineConfig} from 'vitest/config';
import {workerBindings} from './test/fixtures/worker-bindings.ts';

/** Suites by what they need: pure code; real workerd; real git, processes and tmux; everything together; and broken. */
export default defineConfig({
  test: {
    // For the two cores of the smallest machine that the suites must suit: much of what they do is to wait for processes.
    maxWorkers: 3,
    // Ends what hangs. A busy machine is no failure: a test of thirty commands takes seconds, or a minute.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: {poll: {timeout: 20_000}},
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,architecture,contract,simulation,property}/**/*.test.ts'],
          // Pure code keeps nothing between files; loading all of it again for each takes a third of the time.
          isolate: false,
          setupFiles: ['./test/property/same-chance.ts'],
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: {configPath: './wrangler.toml'},
            miniflare: {bindings: await workerBindings()},
          })),
        ],
        // Bytes are native in one engine and a loop in the other: the same rules hold in both.
        test: {name: 'worker', include: ['test/worker/**/*.test.ts', 'test/unit/shared/bytes.test.ts']},
      },
      {test: {name: 'runner', include: ['test/runner/**/*.test.ts']}},
      {test: {name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000}},
      // The CLIs of others, installed from the registry: `npm run test:real`.
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          testTimeout: 400_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
