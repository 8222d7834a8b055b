import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Tests wait as much as they work, and Vitest leaves one core free by default: with two, half of the machine. */
export const WORKERS: number = availableParallelism() + 1;

/**
 * Only a failing test takes so long (see test/support/patience.ts): a machine that is three times as slow,
 * and does other work, is no failure.
 */
export const PATIENCE = {
  testTimeout: 1_200_000,
  hookTimeout: 1_200_000,
  expect: { poll: { timeout: 600_000 } },
} as const;

/**
 * Begins with the files that take longest: begun last, one of them would run on alone at the end.
 *
 * @param patterns Of their paths, the longest first.
 */
export function longestFirst(...patterns: readonly RegExp[]): typeof BaseSequencer {
  const rank = ({ moduleId }: TestSpecification): number => {
    const at = patterns.findIndex((pattern) => pattern.test(moduleId));
    return at < 0 ? patterns.length : at;
  };
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
    }
  };
}

/** The file of a thread or of a helper process, as src names it: a file of the build. */
const BUILT_FILE = /new URL\('(\.\/(?:[a-z0-9-]+\.js|page\/|browser\/))', import\.meta\.url\)/g;

/**
 * Tests import src. Threads and helper processes that src starts come from dist: Node 20 runs no
 * TypeScript.
 */
export const startFromBuild: Plugin = {
  name: 'start-from-build',
  enforce: 'pre',
  transform: (code, id) => {
    const built = pathToFileURL(id.replace('/src/', '/dist/')).href;
    return id.includes('/src/') && code.search(BUILT_FILE) >= 0
      ? { code: code.replace(BUILT_FILE, `new URL('$1', '${built}')`), map: null }
      : undefined;
  },
};

export default defineConfig({
  plugins: [startFromBuild],
  test: {
    include: ['test/**/*.test.ts'],
    ...PATIENCE,
    maxWorkers: WORKERS,
    sequence: {
      sequencer: longestFirst(
        /\/(?:loader\/formats|loader\/loader|e2e\/cli|e2e\/operating|e2e\/rollback)\.test\.ts$/,
        /\/test\/e2e\//,
      ),
    },
  },
});
