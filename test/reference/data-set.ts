import { openTable, type Storage, TableBuilder } from 'goromdb';
import { Random } from '../support/random-bytes.ts';

/** A record that both servers hold. */
export interface ReferenceRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly flags: number;
  /** Whether the key cannot stand in a command as it is, so that memcached is given base64. */
  readonly isBinary: boolean;
}

const FLAGS = [0, 0, 1, 42, 65_536, 4_294_967_295];
const SIZES = [0, 1, 2, 3, 10, 100, 1000, 4_000, 15_000, 16_384, 30_000, 70_000, 100_000];

const TEXT_KEYS = [
  'a',
  'k'.repeat(250),
  'tab\tin',
  '\x01\x7f\xfe\xff',
  'cr\rin',
  'noreply',
  '0',
  'get',
  'END',
  'VALUE',
  'héllo',
  'Zm9v',
  'b',
  '%41/?&=',
];

const BINARY_KEYS = [
  'with space',
  ' ',
  'line\nend',
  'crlf\r\nEND\r\n',
  'nul\0in',
  '\0',
  'x'.repeat(180),
  ' y'.repeat(93),
];

/** Keys that both servers are also asked for in the form that memcached was not given them in. */
export const BOTH_FORMS_PREFIX = 'both';

/** The records to compare with: keys of all kinds, values of 0 bytes to 100 KB. */
export function referenceRecords(): readonly ReferenceRecord[] {
  const random = new Random(1);
  const plain = (key: string, at: number): ReferenceRecord => ({
    key: Buffer.from(key, 'latin1'),
    value: randomValue(random, SIZES[at % SIZES.length]),
    flags: FLAGS[random.below(FLAGS.length)],
    isBinary: false,
  });
  const small = (key: string): ReferenceRecord => ({
    ...plain(key, 0),
    value: randomValue(random, random.below(60)),
  });
  return [
    ...SIZES.map((size, at) => plain(`size${size}`, at)),
    ...TEXT_KEYS.map(small),
    ...Array.from({ length: 200 }, (_, i) => small(`key:${i}`)),
    ...Array.from({ length: 5 }, (_, i) => small(`${BOTH_FORMS_PREFIX}${i}`)),
    ...BINARY_KEYS.map((key) => ({ ...small(key), isBinary: true })),
  ];
}

/** Random bytes, among them what looks like a reply. */
function randomValue(random: Random, bytes: number): Buffer {
  const value = random.bytes(bytes);
  if (bytes >= 20) value.write('\r\nEND\r\nVALUE a 0 1\r\n', random.below(bytes - 19), 'latin1');
  return value;
}

/** The records as this server holds them. */
export function storageOf(records: readonly ReferenceRecord[]): Storage {
  const builder = new TableBuilder();
  for (const { key, value, flags } of records) {
    builder.add(key, 0, key.length, value, 0, value.length, flags);
  }
  const parts = builder.build();
  return openTable(parts, {
    generation: 1,
    keys: parts.layout.keys,
    bytes: parts.layout.bytes,
    md5: '',
    format: 'reference',
    loadedAt: Date.now(),
  });
}

/** The commands that give memcached the records; it answers each with one line. */
export function loadCommands(records: readonly ReferenceRecord[]): Buffer {
  const commands = records.flatMap(({ key, value, flags, isBinary }) => {
    const text = isBinary
      ? `ms ${key.toString('base64')} ${value.length} b F${flags}\r\n`
      : `set ${key.toString('latin1')} ${flags} 0 ${value.length}\r\n`;
    return [Buffer.from(text, 'latin1'), value, Buffer.from('\r\n')];
  });
  return Buffer.concat(commands);
}
