import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import { onTestFinished } from 'vitest';
import { waitFor } from './patience.ts';

/** Runs a proxy until the test is over, and waits until it takes connections. */
export async function runProxy(
  command: string,
  args: readonly string[],
  port: number,
): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await waitFor(async () => {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${said}`);
    await connectTo(port);
  });
  return child;
}

function connectTo(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => socket.end(resolve));
    socket.once('error', reject);
  });
}
