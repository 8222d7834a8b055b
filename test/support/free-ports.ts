import { createServer } from 'node:net';

/** Below those that the system gives to whoever asks for any (ip_local_port_range). */
const PORTS_FROM = 12_000;
const PORTS_TO = 32_000;

/**
 * Ports that nobody has now, and hardly anybody will soon: shards.toml has to name them before the servers
 * are started.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = PORTS_FROM + Math.floor(Math.random() * (PORTS_TO - PORTS_FROM));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
