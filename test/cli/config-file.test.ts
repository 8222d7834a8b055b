import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Config, readChecked, readConfig } from '../../src/cli/config/config-file.ts';
import { temporaryFolder } from '../support/folder.ts';

function read(text: string, folder = temporaryFolder()): Config {
  const path = join(folder, 'goromdb.toml');
  writeFileSync(path, text);
  return readConfig(path);
}

/** What is said of a file, without the folder. */
async function faultOf(text: string, folder = temporaryFolder()): Promise<string> {
  const path = join(folder, 'goromdb.toml');
  writeFileSync(path, text);
  try {
    await readChecked(path);
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, '');
  }
  return 'none';
}

const SET = '[[data-set]]\nfile = "data.json"\n';

describe('a configuration file', () => {
  test('gives each data set what flags of the same names would', () => {
    const folder = temporaryFolder();
    const { plan } = read(
      `tls-cert = "c"\ntls-key = "/k"
[[data-set]]
prefix = "a"
file = "a/data.json"
min-keys = 5
max-shrink = 2.5
canary = ["x", "y=1"]
poll-interval = "2s"
scrub-rate = 0
keep-previous = "no"
jsonl-key = "id"
jsonl-ignore = true
[[data-set]]
prefix = "c"
file = "c/data.bolt"
bucket = ["users", "by-id"]
[[data-set]]
file = "/b/data.bolt"
basedir = "base"
storage = "boltdb"
namespaces = true
D = "/"
`,
      folder,
    );
    expect(plan).toMatchObject({
      access: { tls: { certFile: join(folder, 'c'), keyFile: '/k' } },
      dataSets: [
        {
          prefix: 'a',
          file: join(folder, 'a/data.json'),
          storage: 'auto',
          guards: {
            minKeys: 5,
            maxShrinkPercent: 2.5,
            canaries: [
              { key: Buffer.from('x'), value: undefined },
              { key: Buffer.from('y'), value: Buffer.from('1') },
            ],
          },
          pollIntervalMs: 2000,
          scrub: { bytesPerSecond: 0 },
          keepPrevious: 'no',
          fields: { key: 'id', value: 'value', ignoreOthers: true },
        },
        { prefix: 'c', bucket: ['users', 'by-id'] },
        {
          file: '/b/data.bolt',
          basedir: join(folder, 'base'),
          storage: 'boltdb',
          namespaces: { delimiter: '/' },
        },
      ],
    });
  });

  test('in the documentation is right', async () => {
    const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
    const [, example] = /```toml\n(.*?)```/s.exec(page)!;
    expect(await faultOf(example)).toBe('none');
    const { dataSets } = read(example).plan;
    expect(dataSets.map(({ prefix }) => prefix)).toEqual(['geo', 'users', undefined]);
  });

  test.each([
    ['', 'data-set: expected one [[data-set]] or more'],
    ['data-set = 1', ':1: data-set: expected one [[data-set]] or more'],
    ['addr = ', ':1:8: Invalid TOML document'],
    [`a = 1\n${SET}`, ':1: a: it is not known; expected one of addr, allow, '],
    [`[other]\nx = 1\n${SET}`, ':1: other: it is not known'],
    [`config = "x"\n${SET}`, ':1: config: it is not known'],
    [`handler = "simple"\n${SET}`, ':1: handler: it is not known'],
    [`file = "x"\n${SET}`, ':1: file: it belongs to a data set: write it below [[data-set]]'],
    [`${SET}threads = 2`, ':3: threads: it is about the server: write it above the first'],
    [`${SET}${SET}key = 2`, ':5: key: it is not known; expected one of D, basedir, '],
    ['[[data-set]]\nprefix = "a"', ':1: data-set 1: file is missing'],
    [
      `threads = "many"\n${SET}`,
      ':1: threads: "many" is not allowed; expected a whole number from',
    ],
    [`threads = 0\n${SET}`, ':1: threads: "0" is not allowed; expected a whole number from 1 to'],
    [`threads = true\n${SET}`, ':1: threads: true is not allowed; expected a number, or a text'],
    [`addr = 11211\n${SET}`, ':1: addr: 11211 is not allowed; expected a text in quotes'],
    [`unix-mode = 0o770\n${SET}`, ':1: unix-mode: 504 is not allowed; expected a text in quotes'],
    [`${SET}gzipped = "true"`, ':3: gzipped: "true" is not allowed; expected true or false'],
    [`${SET}canary = [1]`, ':3: canary: 1 is not allowed; expected texts in quotes'],
    [`${SET}prefix = 1`, ':3: prefix: 1 is not allowed; expected a text in quotes'],
    [`${SET}prefix = ""`, ':3: prefix: "" is not allowed; expected a name'],
    [`${SET}prefix = "a b"`, 'prefix: "a b" is not allowed; expected 1 to 64 bytes without spaces'],
    [`${SET}prefix = "a:b"`, 'prefix: "a:b" has the delimiter ":" in it'],
    [`delimiter = "::"\n${SET}prefix = "a:"`, 'prefix: "a:" has the delimiter "::" in it'],
    [`delimiter = " "\n${SET}prefix = "a"`, 'delimiter: expected 1 to 16 bytes'],
    [`${SET}D = "/"`, ':3: data-set 1: D: it is the delimiter of namespaces; give both'],
    [`${SET}namespaces = true\nbucket = "b"`, ':4: data-set 1: bucket serves one and namespaces'],
    [`${SET}bucket = 1`, ':3: bucket: 1 is not allowed; expected texts in quotes'],
    [`${SET}jsonl-key = "value"`, ':3: data-set 1: jsonl-key, jsonl-value: expected two fields'],
    [
      `${SET}jsonl-ignore = true\nstorage = "lmdb"`,
      'jsonl-key, jsonl-value and jsonl-ignore are for JSON Lines; storage is lmdb',
    ],
    [`s = "x"\naddr = ":1"\n${SET}`, ':1: s and addr both say where to listen'],
    [`tls-cert = "c"\n${SET}`, ':1: tls-cert and tls-key belong together'],
    [`${SET}[[data-set]]\nfile = "b/x"`, 'prefix: the data set without a prefix comes twice'],
    [
      `[[data-set]]\nprefix = "a"\nfile = "a/x"\n[[data-set]]\nprefix = "a"\nfile = "b/x"`,
      'prefix: data set a comes twice',
    ],
    [
      `${SET}[[data-set]]\nprefix = "a"\nfile = "data.json"\nbasedir = "b"`,
      'file: the data set without a prefix and data set a share data.json: each needs its own',
    ],
    [
      `${SET}[[data-set]]\nprefix = "a"\nfile = "other.json"`,
      'basedir: the data set without a prefix and data set a share',
    ],
    [
      `${SET}[[data-set]]\nprefix = "a"\nfile = "data.json.md5"\nbasedir = "b"`,
      'file: data.json.md5 of data set a has a name that goes with data.json',
    ],
    [
      `${SET}[[data-set]]\nprefix = "a"\nfile = "data01/x"\nbasedir = "b"`,
      'file: data01/x lies in a slot',
    ],
    [
      `${SET}[[data-set]]\nprefix = "a"\nfile = "data.json.rejected"\nbasedir = "b"`,
      'file: data.json.rejected of data set a has a name that goes with data.json',
    ],
    [
      `${SET}[[data-set]]\nprefix = "a"\nfile = "b/x"\nbasedir = "data00"`,
      'basedir: data00 is a slot',
    ],
    ...['data00', 'events.json', 'control.sock'].map((name) => [
      `[[data-set]]\nfile = "${name}"`,
      `file: ${name} has a name that goromdb uses itself`,
    ]),
    [`[[data-set]]\nfile = "a\\u0000"`, ':2: file: "'],
    [`${SET}basedir = "a\\u0000"`, ':3: basedir: "'],
  ])('is refused for %j', async (text, fault) => {
    expect(await faultOf(text)).toContain(fault);
    expect(await faultOf(text)).toMatch(/^goromdb\.toml/);
  });

  test('is refused when links lead two data sets to one folder or file', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    writeFileSync(join(folder, 'x'), '');
    symlinkSync('x', join(folder, 'y'));
    const two = (a: string, b: string): string =>
      `[[data-set]]\nprefix = "a"\n${a}\n[[data-set]]\nprefix = "b"\n${b}\n`;
    const folders = two('file = "a/x"', 'file = "b/y"');
    expect(await faultOf(folders, folder)).toContain('data set b share a and b: each needs');
    const files = two('file = "x"\nbasedir = "c"', 'file = "y"\nbasedir = "d"');
    expect(await faultOf(files, folder)).toContain('data set b share x and y: each needs');
  });

  test('has more data sets than there may be', async () => {
    const sets = Array.from({ length: 33 }, (_, i) => {
      return `[[data-set]]\nprefix = "p${i}"\nfile = "f${i}/x"\n`;
    });
    expect(await faultOf(sets.join(''))).toContain('expected at most 32 data sets, found 33');
    expect(await faultOf(sets.slice(1).join(''))).toBe('none');
  });

  test('that is not there, no file, or far too large is an error', () => {
    expect(() => readConfig('/nowhere/goromdb.toml')).toThrow(/^cannot read \/nowhere/);
    expect(() => readConfig('/dev/zero')).toThrow('cannot read /dev/zero: expected a regular file');
    const path = join(temporaryFolder(), 'goromdb.toml');
    writeFileSync(path, Buffer.from(`[[data-set]]\nfile = "\xe9"`, 'latin1'));
    expect(() => readConfig(path)).toThrow(/^cannot read .*goromdb\.toml: .*not valid/);
    expect(() => read('#'.repeat(1024 * 1024 + 1))).toThrow('expected at most 1048576 bytes');
  });
});
