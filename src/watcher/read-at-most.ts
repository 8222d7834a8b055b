import { constants, open } from 'node:fs/promises';

/**
 * The first bytes of a file that others may have put anything in the place of: a FIFO there must not
 * block, and a device must not fill the memory.
 *
 * @throws what the file system throws.
 */
export async function readAtMost(path: string, bytesMax: number): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const buffer = Buffer.alloc(bytesMax);
    let length = 0;
    while (length < bytesMax) {
      const { bytesRead } = await handle.read(buffer, length, bytesMax - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}
