import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FileIdentity, identityOf } from '../../src/common/file-identity.ts';
import {
  readSlots,
  type SlotName,
  type SlotRecord,
  writeRecord,
} from '../../src/loader/slots/slots.ts';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';

/** The record of a generation that was installed so many seconds after 1970. */
export function recordOf(generation: number, content: string): SlotRecord {
  return {
    generation,
    md5: md5(content),
    bytes: content.length,
    keys: 1,
    format: 'json',
    source: '/drop/data.json',
    installedAt: new Date(generation * 1000).toISOString(),
  };
}

export function identify(path: string): FileIdentity {
  return identityOf(statSync(path, { bigint: true }));
}

/** A base folder with its slots. */
export class BaseFolder {
  readonly path = temporaryFolder();

  /** Fills a slot as this program does, or without a record as the Go program. */
  async fill(name: SlotName, content: string, generation?: number): Promise<void> {
    mkdirSync(join(this.path, name), { recursive: true });
    writeFileSync(join(this.path, name, 'data.db'), content);
    writeFileSync(join(this.path, name, 'data.db.md5'), `${md5(content)}  data.db\n`);
    if (generation === undefined) return;
    await writeRecord(this.path, name, recordOf(generation, content));
  }

  /** What a load has written in a slot before its file is installed. */
  bringTable(name: SlotName): void {
    mkdirSync(join(this.path, name), { recursive: true });
    writeFileSync(join(this.path, name, 'table.mdb.incoming'), 'a table');
  }

  /** The filled slots as `name generation`, the newest first. */
  async slots(): Promise<string[]> {
    const found = await readSlots(this.path, () => {});
    return found.map(({ name, record }) => `${name} ${record?.generation ?? 'foreign'}`);
  }

  /** What a slot holds. */
  content(name: SlotName): string {
    return readFileSync(join(this.path, name, 'data.db'), 'utf8');
  }
}
