import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** These take longest: started last, one of them would run on alone at the end. */
const LONGEST = /\/test\/e2e\/(?:swap|cli|operating|rollback)\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      LONGEST.test(moduleId) ? 0 : moduleId.includes('/test/e2e/') ? 1 : 2;
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
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
    // Only a failing test takes so long: see test/support/patience.ts.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 200_000 } },
    // Vitest leaves one core free by default: with two cores, half of the machine.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
  },
});
