import process from 'node:process';

/** SIGHUP: the terminal was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs something that Ctrl-C or a signal to end stops, so that it can clean up.
 *
 * @param run Is given the signal that aborts it.
 */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await run(abort.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}
