import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import process from 'node:process';
import { freePort } from '../support/free-ports.ts';
import { waitFor } from '../support/patience.ts';

/** A real server on a port of its own. */
export interface ServerProcess {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts memcached with what a read-only server cannot do turned off by its own switch: flush_all (-F).
 *
 * @throws Error that says what to install when there is no memcached: skipping is not allowed.
 */
export function startMemcached(): Promise<ServerProcess> {
  // memcached refuses to run as root unless it is told for whom.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  return start('memcached', (port) => {
    const options = ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-m', '512', '-t', '2'];
    return [...options, ...user, '-F'];
  });
}

/** Starts Redis without its files. @throws Error as `startMemcached`. */
export function startRedis(): Promise<ServerProcess> {
  // On a busy machine any command may be a slow one.
  const quiet = ['--save', '', '--appendonly', 'no', '--slowlog-log-slower-than', '-1'];
  return start('redis-server', (port) => ['--bind', '127.0.0.1', '--port', `${port}`, ...quiet]);
}

async function start(
  command: string,
  argsFor: (port: number) => readonly string[],
): Promise<ServerProcess> {
  const port = await freePort();
  const child = spawn(command, argsFor(port), { stdio: 'ignore' });
  const install = `install ${command} (Debian: apt-get install ${command})`;
  const failure = new Promise<never>((_, reject) => {
    child.once('error', () => reject(new Error(install)));
    child.once('exit', (code) => reject(new Error(`${command} ended with status ${code}`)));
  });
  failure.catch(() => {});
  await Promise.race([failure, isListening(port)]);
  return {
    port,
    stop: async () => {
      if (child.exitCode !== null) return;
      const exit = once(child, 'exit');
      child.kill();
      await exit;
    },
  };
}

function isListening(port: number): Promise<void> {
  return waitFor(async () => {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect').finally(() => socket.destroy());
  });
}
