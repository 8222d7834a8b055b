// Serves a format of your own: node serve-pairs.mjs FILE BASEDIR [ADDRESS]
import process from 'node:process';
import { createLineLogger, parseAddress, startGoromdb } from 'goromdb';

const [file, basedir, address = '127.0.0.1:11211'] = process.argv.slice(2);
const goromdb = await startGoromdb({
  address: parseAddress(address),
  // By its URL: a scanner runs in the loader process, not in this one.
  storage: new URL('./pairs.mjs', import.meta.url).href,
  file,
  basedir,
  logger: createLineLogger((line) => process.stderr.write(line)),
});
process.once('SIGTERM', () => goromdb.close());
await goromdb.done;
