import process from 'node:process';

/**
 * Runs something that Ctrl-C or a signal to end stops, so that it can clean up.
 *
 * @param run Is given the signal that aborts it.
 * @param onHangUp What SIGHUP calls. Default: it ends it as well, since the terminal was closed.
 */
export async function interruptible<T>(
  run: (signal: AbortSignal) => Promise<T>,
  onHangUp?: () => void,
): Promise<T> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  const listeners = { SIGINT: stop, SIGTERM: stop, SIGHUP: onHangUp ?? stop };
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener);
  try {
    return await run(abort.signal);
  } finally {
    for (const [signal, listener] of Object.entries(listeners)) process.off(signal, listener);
  }
}
