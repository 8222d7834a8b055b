import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { text as textOf } from 'node:stream/consumers';
import { generatedKey, generatedValue } from '../src/traffic/data-set.ts';
import { withFolder } from './contest.ts';
import { type Figure, figureOf } from './measure.ts';
import type { Effort, Note, SectionResult } from './result.ts';
import { VALUE_BYTES } from './scenarios.ts';

const KEY_COUNTS = [1_000_000, 10_000_000] as const;

/** Bytes that are written at once. */
const CHUNK_CHARS = 1024 * 1024;
/** How often the memory of a process is looked at. */
const LOOK_INTERVAL_MS = 20;

/** A way to make a file that is read by key. */
export interface Builder {
  readonly name: string;
  /** A line of shell; `$1` is the folder of the inputs, and of the file that is made. */
  readonly command: string;
  /** It takes long, so that it runs in the first round only. */
  readonly isSlow?: true;
}

export const GOROMDB = `"${process.execPath}" "${resolve('bin/goromdb.js')}"`;
const SQLITE_KEYED = 'create table t(key text primary key, value) without rowid;';

/** goromdb first; the others are compared with its first. */
const BUILDERS: readonly Builder[] = [
  {
    name: 'goromdb build, CSV',
    command: `${GOROMDB} build -o "$1/out" -key key -value value "$1/in.csv"`,
  },
  { name: 'goromdb build, JSON Lines', command: `${GOROMDB} build -o "$1/out" "$1/in.jsonl"` },
  {
    name: 'sqlite3 .import, CSV, without a key',
    command: `printf '.mode csv\\n.import %s t\\n' "$1/in.csv" | sqlite3 "$1/out"`,
  },
  {
    name: 'sqlite3 .import, CSV, with a primary key',
    command: `printf '${SQLITE_KEYED}\\n.mode csv\\n.import --skip 1 %s t\\n' "$1/in.csv" | sqlite3 "$1/out"`,
  },
  { name: 'db5.3_load, text, btree', command: `db5.3_load -T -t btree "$1/out" < "$1/in.text"` },
  // It flushes what it has written after each hundred records.
  { name: 'mdb_load 0.9, dump', command: `mdb_load -n "$1/out" < "$1/in.dump"`, isSlow: true },
];

/** How long a file takes to make, beside tools that make files of the same records on the same disk. */
export async function building({ keysMax, rounds }: Effort): Promise<SectionResult> {
  const notes: Note[] = [];
  for (const keys of KEY_COUNTS.filter((count) => count <= keysMax)) {
    notes.push(...(await timesOf(BUILDERS, Object.keys(FORMS) as Form[], keys, rounds)));
  }
  return { rows: [], notes };
}

/** How long each of some builders takes, beside the first. @param forms The inputs that they read. */
export function timesOf(
  builders: readonly Builder[],
  forms: readonly Form[],
  keys: number,
  rounds: number,
): Promise<readonly Note[]> {
  return withFolder(async (folder) => {
    for (const form of forms) writeInput(folder, form, keys);
    const runs = builders.map((): Run[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, builder] of builders.entries()) {
        if (round === 0 || builder.isSlow !== true) runs[i].push(await run(builder, folder));
      }
    }
    const seconds = runs.map((list) => figureOf(list.map((one) => one.seconds)));
    return builders.map(({ name }, i) => {
      const anonBytes = Math.max(...runs[i].map((one) => one.anonBytes));
      const cpu = figureOf(runs[i].map((one) => one.cpuSeconds)).median;
      const memory = `${(anonBytes / 1e6).toFixed(0)} MB anonymous`;
      const rest = `${cpu.toFixed(2)} s of CPU, ${memory}`;
      return { name: `${keys} records: ${name}`, text: `${text(seconds[i], seconds[0])}, ${rest}` };
    });
  });
}

function text({ median, min, max }: Figure, goromdb: Figure): string {
  const ratio = (median / goromdb.median).toFixed(2);
  return `${median.toFixed(2)} s (${min.toFixed(2)}–${max.toFixed(2)}), ${ratio} × the first`;
}

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Most memory that belongs to no file. */
  readonly anonBytes: number;
}

async function run({ name, command }: Builder, folder: string): Promise<Run> {
  for (const file of ['out', 'out.md5', 'out-lock']) {
    rmSync(join(folder, file), { recursive: true, force: true });
  }
  const startMs = performance.now();
  // The shell says at the end what its children took, as in 0m1.25s 0m0.31s.
  const script = `${command} >/dev/null && times`;
  const child = spawn('sh', ['-c', script, 'sh', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const times = textOf(child.stdout);
  let anonBytes = 0;
  const timer = setInterval(() => {
    anonBytes = Math.max(anonBytes, anonBytesOf(child.pid!));
  }, LOOK_INTERVAL_MS);
  const [code] = (await once(child, 'close')) as [number];
  const seconds = (performance.now() - startMs) / 1000;
  clearInterval(timer);
  if (code !== 0) throw new Error(`${name} has ended with ${code}`);
  return { seconds, cpuSeconds: cpuSecondsOf(await times), anonBytes };
}

/** The sum of user and system time of the children: the second line of `times`. */
function cpuSecondsOf(times: string): number {
  const [, children = ''] = times.split('\n');
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  return parts.reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0);
}

/** Of a process and those that it has started. See proc(5). */
function anonBytesOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ');
    const own = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    const pids = children.map(Number).filter((child) => child > 0);
    return pids.reduce((sum, child) => sum + anonBytesOf(child), own);
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}

/** The same records in the form that each tool reads: what stands first, a record, what stands last. */
const FORMS = {
  csv: ['key,value\n', (key: string, value: string) => `${key},${value}\n`, ''],
  jsonl: ['', (key: string, value: string) => `{"key":"${key}","value":"${value}"}\n`, ''],
  text: ['', (key: string, value: string) => `${key}\n${value}\n`, ''],
  dump: [
    'VERSION=3\nformat=print\ntype=btree\nmapsize=68719476736\nHEADER=END\n',
    (key: string, value: string) => ` ${key}\n ${value}\n`,
    'DATA=END\n',
  ],
} as const;

type Form = keyof typeof FORMS;

function writeInput(folder: string, form: Form, keys: number): void {
  const [head, record, tail] = FORMS[form];
  const fd = openSync(join(folder, `in.${form}`), 'w');
  let chunk: string = head;
  for (let id = 0; id < keys; id++) {
    const key = generatedKey(id);
    chunk += record(key, generatedValue(key, VALUE_BYTES)!);
    if (chunk.length < CHUNK_CHARS) continue;
    writeSync(fd, chunk);
    chunk = '';
  }
  writeSync(fd, chunk + tail);
  closeSync(fd);
}
