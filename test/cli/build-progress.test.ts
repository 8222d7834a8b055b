import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildProgress, progressText } from '../../src/cli/process/build-progress.ts';
import { temporaryFolder } from '../support/folder.ts';

describe('the progress of a build', () => {
  /** What is written when files of 1000 bytes each are read, 100 bytes each second. */
  function shown(kind: 'terminal' | 'log' | 'pipe'): readonly string[] {
    const folder = temporaryFolder();
    const files = ['a', 'b'].map((name) => join(folder, name));
    for (const file of files) writeFileSync(file, Buffer.alloc(1000));
    let now = 0;
    const written: string[] = [];
    const write = (text: string): void => void written.push(text.replace(`${folder}/`, ''));
    const { onProgress, clear } = buildProgress(files, { kind, write, nowMs: () => now });
    for (let bytes = 100; bytes <= 2000; bytes += 100) {
      now += 1000;
      onProgress(files[bytes <= 1000 ? 0 : 1], bytes <= 1000 ? bytes : bytes - 1000);
    }
    clear();
    return written;
  }

  test('is drawn over in a terminal, and removed', () => {
    const lines = shown('terminal');
    expect(lines[0]).toBe('\r\x1b[Ka: 5% of 2.0 kB, 100 B/s, 19 s left');
    expect(lines[14]).toBe('\r\x1b[Kb: 75% of 2.0 kB, 100 B/s, 5 s left');
    expect(lines.slice(-2)).toEqual(['\r\x1b[Kb: 100% of 2.0 kB, 100 B/s, 0 s left', '\r\x1b[K']);
  });

  test('is a line every ten seconds in a log, and nothing in a pipe', () => {
    expect(shown('log')).toEqual([
      'a: 50% of 2.0 kB, 100 B/s, 10 s left\n',
      'b: 100% of 2.0 kB, 100 B/s, 0 s left\n',
    ]);
    expect(shown('pipe')).toEqual([]);
  });

  test('has no end where none is known, and hours where it takes some', () => {
    expect(progressText(5e8, undefined, 1000)).toBe('500 MB, 500 MB/s');
    expect(progressText(1e6, 1e10, 1000)).toBe('0% of 10 GB, 1.0 MB/s, 2 h 46 min left');
    expect(progressText(1e6, 1e8, 1000)).toContain('1 min 39 s left');
  });
});
