import process from 'node:process';
import type { PrefixedDataSet } from '../../app/options.ts';
import { formatAddress } from '../../common/address.ts';
import { oneLine } from '../../common/log.ts';
import { readChecked } from '../config/config-file.ts';
import { misuse } from '../options/option.ts';
import { FILE } from '../options/values.ts';
import { EXIT_MISUSE, printMisuse } from '../process/fail.ts';
import { defineCommand } from './command.ts';

export const checkConfig = defineCommand({
  name: 'check-config',
  summary: 'Checks a configuration file, and prints its data sets.',
  usage: 'goromdb check-config FILE',
  notes: `
Examples:
  goromdb check-config goromdb.toml
  goromdb check-config goromdb.toml && kill -HUP 4242

Makes, changes and loads nothing.`,
  exitCodes: { 0: 'the file is right', 2: 'the file is wrong' },
  options: {},
  takesArguments: true,
  read({ args: [path, ...others] }) {
    if (path === undefined || others.length > 0) {
      throw misuse('expected the path of one file, as in goromdb check-config goromdb.toml');
    }
    return FILE.parse(path);
  },
  async run(path) {
    const config = await readChecked(path).catch(printMisuse);
    if (config === undefined) return EXIT_MISUSE;
    const { address, dataSets } = config.plan;
    const count = dataSets.length === 1 ? '1 data set' : `${dataSets.length} data sets`;
    const lines = [`${path} is ok: ${count} on ${formatAddress(address)}`];
    for (const one of dataSets) lines.push(`  ${describe(one)}`);
    process.stdout.write(`${lines.map(oneLine).join('\n')}\n`);
    return 0;
  },
});

function describe({ prefix, file, storage }: PrefixedDataSet): string {
  const keys = prefix === undefined ? 'all other keys' : `keys under ${prefix}`;
  return `${keys}: ${file} (${storage})`;
}
