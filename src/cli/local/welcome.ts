/** What is printed when local data serves: how to read it, and how to change it. */
import { oneLine } from '../../common/log.ts';
import { keysOf } from '../../common/quantities.ts';
import { quoted } from '../process/shell-words.ts';
import { type LocalData, titleOf } from './local-data.ts';
import type { Sample } from './sample.ts';

/** @param reads Commands that read a key. */
export function welcome(
  data: LocalData,
  keys: number,
  reads: readonly string[],
  sample: Sample | undefined,
): string {
  const name = sample === undefined ? oneLine(titleOf(data)) : `a sample, ${sample.path}`;
  const asking = reads.length === 0 ? '' : ' In another terminal, read from it:';
  const parts = [
    `goromdb serves ${name}: ${keysOf(keys)}.${asking}`,
    ...(reads.length === 0 ? [] : [indented(reads)]),
    ...changing(data, sample),
    'Ctrl-C ends it.',
  ];
  return `\n${parts.join('\n\n')}\n\n`;
}

function changing({ inputs }: LocalData, sample: Sample | undefined): readonly string[] {
  if (sample !== undefined) {
    const copy = ['cp', sample.next, sample.path].map(quoted).join(' ');
    return [
      'It is read again when it changes. Change it, and read from it again:',
      indented([copy]),
    ];
  }
  return inputs.includes('-') ? [] : ['It is read again when it changes.'];
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n');
}
