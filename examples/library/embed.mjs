// The whole server inside a program: node embed.mjs FILE BASEDIR [ADDRESS]
import process from 'node:process';
import { createLineLogger, parseAddress, startGoromdb } from 'goromdb';

const [file, basedir, address = '127.0.0.1:11211'] = process.argv.slice(2);
const goromdb = await startGoromdb({
  address: parseAddress(address),
  storage: 'auto',
  file,
  basedir,
  logger: createLineLogger((line) => process.stderr.write(line)),
});
process.on('SIGHUP', () => goromdb.reload());
process.once('SIGTERM', () => goromdb.close());
await goromdb.done;
