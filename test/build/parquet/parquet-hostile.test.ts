import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { buildTable } from '../../../src/build/build.ts';
import { temporaryFolder } from '../../support/folder.ts';
import { recordsOf } from '../records.ts';
import { BYTE_ARRAY, byteArrays, INT32, type PlainColumn, parquetBytes } from './parquet-bytes.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function file(rows: number, columns: readonly PlainColumn[]): string {
  const path = join(folder, 'a.parquet');
  writeFileSync(path, parquetBytes(rows, columns));
  return path;
}

describe('a decimal of Parquet', () => {
  const ID = { name: 'id', type: BYTE_ARRAY, values: byteArrays([Buffer.from('a')]) };
  const SEVEN = Buffer.from([7, 0, 0, 0]);

  async function textOf(column: Omit<PlainColumn, 'name'>): Promise<string> {
    const out = join(folder, 'out.db');
    const inputs = [file(1, [ID, { name: 'v', ...column }])];
    await buildTable({ out, inputs, rows: { key: ['id'], value: 'v' } });
    return (await recordsOf(out)).a;
  }

  test('has as many digits as its scale says, on both sides of the point', async () => {
    expect(await textOf({ type: INT32, values: SEVEN, scale: 2 })).toBe('0.07');
    expect(await textOf({ type: INT32, values: SEVEN, scale: -2 })).toBe('700');
  });

  test.each([
    ['whose scale makes a million zeros of a file of 150 bytes', INT32, SEVEN, -1_000_000],
    ['whose scale makes as many zeros behind the point', INT32, SEVEN, 1_000_000],
    ['whose number has a million bytes', BYTE_ARRAY, byteArrays([Buffer.alloc(1_000_000, 1)]), 2],
  ])('%s is refused before it takes time', async (_what, type, values, scale) => {
    const refused = textOf({ type, values, scale });
    await expect(refused).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await expect(refused).rejects.toThrow('a.parquet: column "v": expected ');
  });
});
