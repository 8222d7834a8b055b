import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePrivateFolder } from './private-folder.ts';

const FOLDER = fileURLToPath(new URL('../../../fixtures/sample/', import.meta.url));

/** The sample that is served when no file is named. */
export interface Sample {
  /** A copy, which the person may change. */
  readonly path: string;
  /** Another version of it. */
  readonly next: string;
  /** A key whose value differs between the two. */
  readonly key: string;
}

/** Copies the sample to a private folder. @throws GoromdbError FOLDER_UNUSABLE. */
export function copySample(): Sample {
  const path = join(makePrivateFolder('sample'), 'cities.json');
  copyFileSync(join(FOLDER, 'cities-v1.json'), path);
  return { path, next: join(FOLDER, 'cities-v2.json'), key: 'data:version' };
}
