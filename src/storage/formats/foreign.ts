/** What files are that goromdb does not read: how they are known, and what their owner can do. */

import { firstBytesOf } from '../scanners/format.ts';
import { readAt } from '../scanners/page-file.ts';
import type { ScanInput } from '../scanners/scanner.ts';
import { packedHeadOf, packingOf } from './recognise.ts';

/** What is known of a file. */
interface Glimpse {
  /** The first bytes, all of a small file. */
  readonly head: Uint8Array;
  /** Of the whole file; undefined where it is packed. */
  readonly size?: number;
  /** The last TAIL_BYTES of the file, where it is not packed. */
  readonly tail?: Uint8Array;
}

interface Foreign {
  readonly name: string;
  readonly advice: string;
}

/** Bytes at the end of a file that are looked at. */
const TAIL_BYTES = 8;

/** Most bytes of a file that a message shows. */
const SHOWN_BYTES = 16;

/** Bytes of a text that are looked at. */
const TEXT_BYTES = 4096;

const UNPACK = 'decompress it first; gzip and zstd are decompressed here';
const LINES = 'make JSON Lines of it, {"key":"...","value":"..."} on each line';
const EXPORT = `export its records, and ${LINES}`;
const ROWS = 'goromdb build -o OUT -key COLUMN makes a table of it, whose keys are in that column';
const LMDB_HERE =
  'dump it there (mdb_dump) and load it on a 64-bit little-endian machine (mdb_load)';
const BDB_HERE = 'dump it (db_dump) and load it as a btree or hash (db_load)';

type Signature = readonly [at: number, hex: string, name: string, advice: string];

/**
 * Bytes that identify a format, at an offset; a negative one counts from the end. Where no document
 * is named, the numbers are those of file(1), magic/Magdir.
 */
const SIGNATURES: readonly Signature[] = [
  // RFC 1952 section 2.3.1 and RFC 8878 section 3.1.1: what is left when one packing is off.
  [0, '1f8b', 'gzip in another compression', 'compress it once'],
  [0, '28b52ffd', 'zstd in another compression', 'compress it once'],
  // The .xz file format, section 2.1.1.1.
  [0, 'fd377a585a00', 'xz', `${UNPACK} (xz -d)`],
  // bzip2 compress.c: BZ_HDR_B, _Z, _h; the level follows.
  [0, '425a68', 'bzip2', `${UNPACK} (bzip2 -d)`],
  // LZ4 frame format, "General Structure of LZ4 Frame format" and "Legacy frame".
  [0, '04224d18', 'lz4', `${UNPACK} (lz4 -d)`],
  [0, '02214c18', 'lz4 (legacy)', `${UNPACK} (lz4 -d)`],
  [0, '4c5a4950', 'lzip', `${UNPACK} (lzip -d)`],
  [0, '1f9d', 'compress (.Z)', `${UNPACK} (uncompress)`],
  // RFC 1950 section 2.2: a window of 32 KiB, and the level.
  ...['01', '9c', 'da'].map(
    (level): Signature => [0, `78${level}`, 'zlib', 'compress it with gzip'],
  ),
  // Snappy framing_format.txt, section 4.1.
  [0, 'ff060000734e61507059', 'snappy', UNPACK],
  // 7zFormat.txt, SignatureHeader.
  [
    0,
    '377abcaf271c',
    'a 7z archive',
    'extract its file, and drop that, compressed with gzip or not',
  ],
  [
    0,
    '526172211a07',
    'a RAR archive',
    'extract its file, and drop that, compressed with gzip or not',
  ],
  // APPNOTE.TXT sections 4.3.7 and 4.3.16.
  [0, '504b0304', 'a zip archive', 'extract its file, and drop that, compressed with gzip or not'],
  [0, '504b0506', 'an empty zip archive', 'drop the file itself, compressed with gzip or not'],
  // POSIX pax, "ustar Interchange Format": magic.
  [
    257,
    '7573746172',
    'a tar archive',
    'extract its file, and drop that, compressed with gzip or not',
  ],
  // SQLite "Database File Format", section 1.3.1.
  [0, '53514c69746520666f726d6174203300', 'an SQLite database', EXPORT],
  // parquet-format README, "File format" and "Encryption".
  [0, '50415231', 'Parquet', ROWS],
  [0, '50415245', 'encrypted Parquet', EXPORT],
  // ORC specification, "File Tail": files begin with these as well.
  [0, '4f5243', 'ORC', EXPORT],
  // Avro specification, "Object Container Files".
  [0, '4f626a01', 'Avro', EXPORT],
  // Arrow columnar format, "IPC File Format".
  [0, '4152524f5731', 'Arrow (Feather)', EXPORT],
  // lmdb mdb.c: MDB_MAGIC; in MDB_txninfo first, in MDB_meta behind the page header.
  [0, 'dec0efbe', 'the lock file of LMDB', 'drop the data file, data.mdb'],
  [12, 'dec0efbe', 'LMDB of a 32-bit machine', LMDB_HERE],
  [12, 'beefc0de', 'LMDB of a 32-bit big-endian machine', LMDB_HERE],
  [16, 'dec0efbe0200', 'LMDB of a 32-bit machine', LMDB_HERE],
  [16, 'beefc0de', 'LMDB of a big-endian machine', LMDB_HERE],
  [24, 'beefc0de', 'LMDB of a big-endian machine', LMDB_HERE],
  // libmdbx layout-dxb.h: MDBX_MAGIC, above the version, behind a page header of 20 bytes.
  [21, '114cefbd9d6559', 'libmdbx', 'dump it (mdbx_dump -a) and load it into LMDB (mdb_load)'],
  // bbolt db.go: magic, of a machine with the other byte order.
  [
    16,
    'ed0cdaed',
    'BoltDB of a big-endian machine',
    'copy its records on that machine, or export them',
  ],
  // Berkeley DB 1.85 db.h: BTREEMAGIC and HASHMAGIC; hashes are big-endian.
  ...bothOrders(0, '00053162', 'a Berkeley DB 1.85 btree', `${BDB_HERE}: db_dump185 reads it`),
  ...bothOrders(0, '00061561', 'a Berkeley DB 1.85 hash', `${BDB_HERE}: db_dump185 reads it`),
  // Berkeley DB 5.3 db.h: DB_QAMMAGIC, DB_HEAPMAGIC, DB_LOGMAGIC; behind lsn and pgno.
  ...bothOrders(12, '00042253', 'a Berkeley DB queue', BDB_HERE),
  ...bothOrders(12, '00074582', 'a Berkeley DB heap', BDB_HERE),
  ...bothOrders(12, '00040988', 'a log of Berkeley DB', 'drop the database file beside it'),
  // gdbm gdbmconst.h: GDBM_OMAGIC, _MAGIC32, _MAGIC64, _NUMSYNC_MAGIC32, _NUMSYNC_MAGIC64.
  ...['cd', 'ce', 'cf', 'd0', 'd1'].flatMap((last) =>
    bothOrders(0, `13579a${last}`, 'GDBM', EXPORT),
  ),
  // Redis rdb.c, rdbSaveRio: "REDIS" and the version.
  [0, '524544495330', 'a Redis dump (RDB)', EXPORT],
  // leveldb table/format.h: kTableMagicNumber; rocksdb block_based_table_builder.cc.
  [-8, '57fb808b247547db', 'a LevelDB table (.ldb, .sst)', `${EXPORT}; it is one file of many`],
  [-8, 'f7cff485b741e288', 'a RocksDB table (.sst)', `${EXPORT}; it is one file of many`],
];

/** A big-endian number, and the same as a little-endian one. */
function bothOrders(at: number, hex: string, name: string, advice: string): readonly Signature[] {
  const swapped = Buffer.from(hex, 'hex').reverse().toString('hex');
  return [
    [at, hex, name, advice],
    [at, swapped, name, advice],
  ];
}

const UTF16 = (form: string): string => `convert it: iconv -f ${form} -t UTF-8`;

/** How texts begin, in latin1, behind spaces. */
const TEXTS: readonly (readonly [pattern: RegExp, name: string, advice: string])[] = [
  // The Unicode Standard, section 23.8: byte order marks.
  [/^\xff\xfe\0\0/, 'a text in UTF-32', UTF16('UTF-32')],
  [/^\0\0\xfe\xff/, 'a text in UTF-32', UTF16('UTF-32')],
  [/^(?:\xff\xfe|\xfe\xff)/, 'a text in UTF-16', UTF16('UTF-16')],
  // Without a mark: a character of ASCII, and another.
  [/^[\t\n\r -~]\0[\t\n\r -~]\0/, 'a text in UTF-16', UTF16('UTF-16LE')],
  [/^\0[\t\n\r -~]\0[\t\n\r -~]/, 'a text in UTF-16', UTF16('UTF-16BE')],
  [/^version https:\/\/git-lfs/, 'a pointer of Git LFS', 'fetch the file itself (git lfs pull)'],
  [/^<(?:!doctype html|html|head|body)\b/i, 'HTML', 'look at it: it may say why a download failed'],
  [/^<(?:\?xml|[a-z!])/i, 'XML', LINES],
  [/^\[/, 'a JSON array', 'make a JSON object of it, or JSON Lines, a record on each line'],
];

/**
 * What a refused file looks like and what to do, to be put behind a message; or nothing.
 *
 * @param gzipped Whether it was decompressed from gzip as it was read.
 */
export async function likeness(input: ScanInput, gzipped: boolean): Promise<string> {
  try {
    const foreign = recogniseForeign(await glimpse(input, gzipped));
    return foreign === undefined ? '' : `; it looks like ${foreign.name}: ${foreign.advice}`;
  } catch {
    // The first error says more than that the file cannot be read again.
    return '';
  }
}

async function glimpse(input: ScanInput, gzipped: boolean): Promise<Glimpse> {
  const head = firstBytesOf(input);
  if (gzipped && packingOf(head) === 'gzip') return { head: await packedHeadOf(input) };
  const { size } = input;
  const tail = Buffer.alloc(Math.min(TAIL_BYTES, size));
  readAt(input, tail, 0, tail.length, size - tail.length);
  return { head, tail, size };
}

/** What a file is, as its bytes say; undefined: nothing known. It verifies nothing. */
export function recogniseForeign({ head, tail, size }: Glimpse): Foreign | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  for (const [at, hex, name, advice] of SIGNATURES) {
    const found = at < 0 ? Buffer.from(tail ?? []) : bytes.subarray(at);
    if (found.toString('hex', 0, hex.length / 2) === hex) return { name, advice };
  }
  if (isCdb(bytes, size)) return { name: 'cdb', advice: EXPORT };
  if (bytes.length >= 16 && bytes.every((byte) => byte === 0)) {
    return { name: 'an unfinished copy, as it begins with zeros', advice: 'write it again' };
  }
  return recogniseText(bytes.subarray(0, TEXT_BYTES));
}

/** The first bytes in hexadecimal and as text, for a message: no byte can change a terminal. */
export function showStart(head: Uint8Array): string {
  const bytes = Buffer.from(head.subarray(0, SHOWN_BYTES));
  const hex = bytes.toString('hex').replace(/..(?=.)/g, '$& ');
  return `${hex} |${bytes.toString('latin1').replace(/[^ -~]/g, '.')}|`;
}

function recogniseText(bytes: Buffer): Foreign | undefined {
  const marked = bytes.toString('latin1');
  const text = marked.replace(/^\xef\xbb\xbf/, '').replace(/^[ \t\r\n]+/, '');
  for (const [pattern, name, advice] of TEXTS) {
    if (pattern.test(marked) || pattern.test(text)) return { name, advice };
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no text has them.
  if (text === '' || /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(marked)) return undefined;
  const rows = columnsOf(text);
  return rows === undefined ? { name: 'plain text', advice: LINES } : { name: rows, advice: ROWS };
}

/** Whether the first lines are cut into the same number of columns. */
function columnsOf(text: string): string | undefined {
  // The last line may be cut.
  const lines = text.split(/\r?\n/).slice(0, -1).slice(0, 5);
  const columns = (mark: string): boolean => {
    const counts = lines.map((line) => line.replace(/"[^"]*"/g, '').split(mark).length);
    return counts.length > 0 && counts[0] > 1 && counts.every((count) => count === counts[0]);
  };
  if (columns('\t')) return 'TSV';
  return columns(',') || columns(';') ? 'CSV' : undefined;
}

/**
 * The cdb format has no magic number, but 256 tables that lie behind each other up to the end of
 * the file: cdb.cr.yp.to/cdb.txt.
 */
function isCdb(bytes: Buffer, size: number | undefined): boolean {
  const tables = 256;
  if (size === undefined || bytes.length < tables * 8) return false;
  let at = bytes.readUInt32LE(0);
  if (at < tables * 8) return false;
  for (let i = 0; i < tables; i++) {
    if (bytes.readUInt32LE(8 * i) !== at) return false;
    at += 8 * bytes.readUInt32LE(8 * i + 4);
  }
  return at === size;
}
