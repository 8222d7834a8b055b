import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** How long a program may take; a hung one fails its test and not the run. */
const PROGRAM_MS_MAX = 600_000;

export interface Ended {
  readonly code: number | null;
  /** Both streams, what went to the error stream last. */
  readonly text: string;
}

/** Runs a program of the system to its end. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Ended {
  const env = { ...process.env, ...options.env };
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...{ cwd: options.cwd ?? ROOT, env, encoding: 'utf8', timeout: PROGRAM_MS_MAX },
  });
  if (error !== undefined) {
    throw new Error(`${program} cannot run: sh test/deploy/install.sh installs it`, {
      cause: error,
    });
  }
  return { code: status, text: `${stdout}${stderr}` };
}
