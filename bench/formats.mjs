// How fast each format is loaded, and in how much memory:
//
//   npm run bench:formats                        1 million keys, all formats
//   npm run bench:formats -- 10000000 json lmdb  10 million keys, two formats
//
// Keys have 16 bytes and values 100. The files are made in a temporary folder by the formats' own
// tools: mdb_load (Debian package lmdb-utils), db5.3_load (db5.3-util), Go with bbolt
// (golang-go, golang-github-boltdb-bolt-dev, golang-github-coreos-bbolt-dev). A format whose tool is
// missing is left out. Each file is loaded in a process of its own, by the loader that serves
// drops, in memory for one serving thread.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const KEYS = 1_000_000;
const VALUE_BYTES = 100;
/** Loads of each file, of which the fastest counts: other work on the machine slows the rest. */
const RUNS = 3;
/** Longest time of one load, in milliseconds. */
const LOAD_MS_MAX = 3_600_000;
/** Records that are written in one piece. */
const BATCH = 10_000;

/** Text of a fixed seed, of which each value is another piece. */
const TEXT = createHash('shake256', { outputLength: 75_000 }).update('values').digest('base64');
const textOf = (i) => {
  const at = (i * 37) % (TEXT.length - VALUE_BYTES);
  return TEXT.slice(at, at + VALUE_BYTES);
};
const key = (i) => `key-${String(i).padStart(12, '0')}`;

/** Writes the lines of all records to a stream. */
async function writeRecords(stream, keys, lineOf) {
  for (let from = 0; from < keys; from += BATCH) {
    let text = '';
    for (let i = from; i < Math.min(keys, from + BATCH); i++) text += lineOf(i);
    if (!stream.write(text)) await once(stream, 'drain');
  }
}

/** Feeds a tool that reads a dump of records. */
async function pipeTo(command, args, header, keys, contentOf = textOf) {
  const tool = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  const end = once(tool, 'close');
  tool.stdin.write(header);
  await writeRecords(tool.stdin, keys, (i) => ` ${key(i)}\n ${contentOf(i)}\n`);
  tool.stdin.end('DATA=END\n');
  const [code] = await end;
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}

async function writeText(path, keys, head, lineOf, tail) {
  const stream = createWriteStream(path);
  stream.write(head);
  await writeRecords(stream, keys, lineOf);
  stream.end(tail);
  await once(stream, 'close');
}

const bdb = (type) => (path, keys) =>
  pipeTo('db5.3_load', [path], `VERSION=3\nformat=print\ntype=${type}\nHEADER=END\n`, keys);

/** A MemcacheDB item: see fixtures/make-bdb.mjs. The text form of a dump escapes bytes as \xx. */
function item(i) {
  const suffix = ` 0 ${VALUE_BYTES}\\0d\\0a`;
  return `\\66\\00\\00\\00\\08\\10\\00\\00${key(i)}\\00${suffix}${textOf(i)}\\0d\\0a`;
}

/** Name for the table, name for -storage, how to make a file. */
const FORMATS = [
  [
    'json',
    'json',
    (path, keys) =>
      writeText(path, keys, '{', (i) => `${i === 0 ? '' : ',\n'}"${key(i)}":"${textOf(i)}"`, '}\n'),
  ],
  [
    'json.gz',
    'json',
    async (path, keys) => {
      await FORMATS[0][2](`${path}.text`, keys);
      execFileSync('sh', ['-c', 'gzip -1 < "$0.text" > "$0" && rm "$0.text"', path]);
    },
  ],
  [
    'jsonl',
    'jsonl',
    (path, keys) =>
      writeText(path, keys, '', (i) => `{"key":"${key(i)}","value":"${textOf(i)}"}\n`, ''),
  ],
  [
    'lmdb-v1',
    'lmdb',
    (path, keys) => {
      const size = `mapsize=${keys * 400 + 1e7}`;
      const header = `VERSION=3\nformat=print\ntype=btree\n${size}\nHEADER=END\n`;
      return pipeTo('mdb_load', ['-n', path], header, keys);
    },
  ],
  [
    'lmdb-v2',
    'lmdb',
    async (path, keys) => {
      const { open } = await import('lmdb');
      const options = { path, noSubdir: true, keyEncoding: 'binary', encoding: 'binary' };
      const db = open({ ...options, noSync: true });
      for (let from = 0; from < keys; from += 100_000) {
        await db.transaction(() => {
          for (let i = from; i < Math.min(keys, from + 100_000); i++)
            db.put(Buffer.from(key(i)), Buffer.from(textOf(i)));
        });
      }
      await db.close();
    },
  ],
  [
    'boltdb',
    'boltdb',
    (path, keys) =>
      execFileSync(
        fileURLToPath(new URL('../fixtures/make-bolt.sh', import.meta.url)),
        ['bench', String(keys), path],
        { stdio: 'inherit' },
      ),
  ],
  ['bdb-btree', 'bdb', bdb('btree')],
  ['bdb-hash', 'bdb', bdb('hash')],
  [
    'memcachedb',
    'memcachedb-bdb',
    (path, keys) =>
      pipeTo('db5.3_load', [path], 'VERSION=3\nformat=print\ntype=btree\nHEADER=END\n', keys, item),
  ],
];

async function md5Of(path) {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** Runs in a process of its own: loads one file and prints what it took. */
async function load(path, scanner, md5) {
  const { LoaderWorker } = await import('../dist/loader/worker/loader-worker.js');
  const { ProgressMemory } = await import('../dist/loader/worker/progress.js');
  const worker = new LoaderWorker();
  const request = {
    ...{ path, md5, scanner, gzipped: false, scratchDir: tmpdir() },
    ...{ bucket: undefined, namespaces: undefined, shared: false },
    ...{ bytesMax: Number.MAX_SAFE_INTEGER, progress: new ProgressMemory().memory },
  };
  const result = await worker.run(request, LOAD_MS_MAX);
  // As this process, so the worker counts too.
  const peak = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  const { table, seconds } = result;
  process.stdout.write(JSON.stringify({ keys: table.keys, bytes: table.bytes, seconds, peak }));
  await worker.close();
}

const mb = (bytes) => Math.round(bytes / 1e6);

const loadSeconds = ({ seconds }) => seconds.scan + seconds.index;

async function measure([name, scanner, make], keys, folder) {
  const path = join(folder, 'data');
  try {
    await make(path, keys);
  } catch (error) {
    process.stderr.write(`${name} is left out: ${error.message}\n`);
    return;
  }
  const self = fileURLToPath(import.meta.url);
  const args = [self, 'load', path, scanner, await md5Of(path)];
  const runs = Array.from({ length: RUNS }, () => JSON.parse(execFileSync(process.execPath, args)));
  const {
    bytes,
    seconds,
    peak,
    keys: found,
  } = runs.reduce((best, run) => (loadSeconds(run) < loadSeconds(best) ? run : best));
  if (found !== keys) throw new Error(`${name}: expected ${keys} keys, found ${found}`);
  const { verify, scan, index } = seconds;
  const perSecond = (keys / (scan + index)).toLocaleString('en-US', { maximumFractionDigits: 0 });
  const times = [verify, scan, index].map((time) => time.toFixed(2)).join(' | ');
  const sizes = `${mb(statSync(path).size)} | ${mb(bytes)}`;
  const memory = `${mb(peak)} | ${(peak / bytes).toFixed(2)}`;
  process.stdout.write(`| ${name} | ${sizes} | ${times} | ${perSecond} | ${memory} |\n`);
}

async function main([count = String(KEYS), ...names]) {
  const keys = Number(count);
  if (!Number.isSafeInteger(keys) || keys < 1)
    throw new RangeError(`not a number of keys: ${count}`);
  process.stdout.write(
    `${keys.toLocaleString('en-US')} keys of 16 bytes, values of 100 bytes, Node ${process.version}\n\n` +
      '| format | file, MB | table, MB | verify, s | scan, s | index, s | keys a second | peak RSS, MB | peak RSS / table |\n' +
      '|---|--:|--:|--:|--:|--:|--:|--:|--:|\n',
  );
  for (const format of FORMATS) {
    if (names.length > 0 && !names.includes(format[0])) continue;
    const folder = mkdtempSync(join(tmpdir(), 'goromdb-bench-'));
    try {
      await measure(format, keys, folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

const [command, ...rest] = process.argv.slice(2);
if (command === 'load') await load(...rest);
else await main(process.argv.slice(2));
