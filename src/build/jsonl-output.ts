import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { JsonLineWriter } from '../storage/formats/json/json-line-writer.ts';
import { cannotWrite } from '../storage/table/table-writer.ts';
import type { ReadBack } from './read-back.ts';

/**
 * Writes records as JSON Lines, as `goromdb dump` does.
 *
 * @throws GoromdbError DISK_FULL, FOLDER_UNUSABLE.
 */
export async function writeJsonLines(path: string, readBack: ReadBack): Promise<void> {
  const fd = openSync(path, 'wx', 0o666);
  const lines = new JsonLineWriter((bytes) => {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    } catch (cause) {
      throw cannotWrite(path, cause);
    }
  });
  try {
    await readBack({ add: (...record) => lines.record(...record) });
    lines.flush();
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
