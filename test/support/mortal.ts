import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';

/** A module in a folder of its own; `$goromdb` in its text is this package. */
export function moduleUrl(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'module.mjs');
  writeFileSync(path, text.replaceAll('$goromdb', import.meta.resolve('goromdb')));
  return pathToFileURL(path).href;
}

/**
 * memcached's protocol, whose thread dies at a `get` of some keys: `die:throw` by an uncaught
 * exception, `die:exit` by `process.exit`, `die:lost` by an exit that hands nothing back,
 * `die:hang` by an endless loop.
 */
export function mortalProtocol(): string {
  return moduleUrl(`
    import { memcachedProtocol } from '$goromdb';
    const DEATHS = {
      'die:throw': () => setImmediate(() => { throw new TypeError('on purpose'); }),
      'die:exit': () => process.exit(7),
      'die:lost': () => { process.removeAllListeners('exit'); process.exit(7); },
      'die:hang': () => { for (;;); },
    };
    export default {
      name: 'mortal',
      createSession: (context) => {
        const session = memcachedProtocol.createSession(context);
        return {
          get state() { return session.state; },
          receive: (input, start, end, reply) => {
            const text = input.toString('latin1', start, end);
            for (const [key, die] of Object.entries(DEATHS)) {
              if (text.startsWith('get ' + key + '\\r\\n')) die();
            }
            return session.receive(input, start, end, reply);
          },
          close: () => session.close(),
        };
      },
    };`);
}
