import { join } from 'node:path';
import { GoromdbError } from '../common/errors.ts';
import { folderKey, makeFolder, remove, syncFolder, writeAtomically } from '../common/files.ts';
import { Notices } from '../common/notices.ts';
import { partOf } from '../shards/place.ts';
import { type Shard, type ShardHash, shardFunctionOf } from '../shards/shards.ts';
import { slotsOf } from '../shards/slots.ts';
import { Finding } from '../storage/scanners/finding.ts';
import { checkedSink, KeyCheck } from '../storage/scanners/key-check.ts';
import { printable } from '../storage/scanners/name-list.ts';
import type { RecordSink } from '../storage/scanners/scanner.ts';
import type { TableWriter } from '../storage/table/table-writer.ts';
import { expandInputs } from './expand.ts';
import {
  fileOf,
  MANIFEST,
  type Manifest,
  type ManifestShard,
  manifestOf,
  readManifest,
  sha256Of,
} from './manifest.ts';
import { type Finished, type OutputPlan, writeOutputs } from './output.ts';
import {
  type InputTarget,
  noticesOf,
  type RecordsRequest,
  readInput,
  refuseToReplace,
  throwIfAborted,
} from './read-inputs.ts';
import { Rejected, type RejectedRow } from './rejected.ts';

/** Memory for records that all shards share, and what one has at least and at most. */
const BLOCKS_BYTES = 64 * 1024 * 1024;
const BLOCK_BYTES_MIN = 256 * 1024;
const BLOCK_BYTES_MAX = 4 * 1024 * 1024;

/** What records are split into. */
export interface SplitInto {
  readonly hash: ShardHash;
  /** In the order of `idx`. */
  readonly shards: readonly Omit<Shard, 'nodes'>[];
}

interface SplitTarget {
  /** The folder for the files and the manifest. It is made; its parent must be there. */
  readonly dir: string;
  readonly into: SplitInto;
  /** The name of the data set, for the manifest. */
  readonly set: string;
}

/** Records that are read, and what they are split into. */
export type SplitRequest = RecordsRequest & SplitTarget;

/** Shards that are split, and what into. */
export type ReshardRequest = SplitTarget &
  Pick<RecordsRequest, 'onProgress' | 'signal'> & {
    /** The folder of their files and manifest. */
    readonly from: string;
  };

/** Where the keys of a shard went that was split. */
interface Move {
  readonly from: string;
  readonly to: string;
  readonly keys: number;
}

export interface Split {
  readonly manifest: Manifest;
  /** What the producer should know, though all is sound. */
  readonly notices: readonly string[];
  /** How many rows were left out, and the first hundred of them. */
  readonly rejected: number;
  readonly firstRejected: readonly RejectedRow[];
  /** Empty when no shards were split. */
  readonly moves: readonly Move[];
}

/** As many equal shards, without nodes. @throws GoromdbError OPTION_INVALID as `readShards`. */
export function equalShards(count: number): SplitInto {
  const shards = Array.from({ length: count }, (_, idx) => {
    return { name: `shard${idx}`, idx, slots: slotsOf(idx, count) };
  });
  return { hash: 'slots', shards };
}

/**
 * Makes a table file for each shard, in one pass over the inputs, and a manifest, which comes last: a
 * folder without one is not complete. The same inputs give the same bytes.
 *
 * @throws GoromdbError as `buildTable`.
 */
export async function splitRecords(request: SplitRequest): Promise<Split> {
  const { dir, into } = request;
  await makeFolder(dir);
  const rejected = new Rejected(join(dir, 'rows'), request.skipBad ?? 0);
  const notices = new Notices();
  const check = new KeyCheck();
  try {
    const outs = into.shards.map((shard) => join(dir, fileOf(shard)));
    const shards = await writeShards(request, {
      keeps: request.duplicates === 'first' ? 'first' : 'last',
      async fill(sinkOf) {
        const inputs = expandInputs(request.inputs);
        for (const out of outs) refuseToReplace(inputs, request, out);
        const sink = checkedSink(sinkOf(into.shards), check);
        const target = { sink, check, rejected, notices };
        await readAll(request, inputs, target);
        for (const text of noticesOf(request, check)) notices.add(text);
      },
      check(finished, name) {
        const text = repeatsOf(finished, name);
        if (text !== undefined && request.duplicates === 'error') {
          throw new GoromdbError('DATA_CORRUPT', text);
        }
        if (text !== undefined) notices.add(text);
      },
    });
    await rejected.keep();
    const manifest = await end(request, shards, null);
    const { count, first } = rejected;
    const told = { notices: notices.texts, rejected: count, firstRejected: first };
    return { manifest, ...told, moves: [] };
  } finally {
    await rejected.close();
  }
}

/**
 * Splits each of N shards into those of a multiple of N whose number it is modulo N. All are split before
 * the first file takes its name.
 *
 * @throws GoromdbError OPTION_INVALID, DATA_CORRUPT, FILE_UNREADABLE; as `buildTable`.
 */
export async function splitShards(request: ReshardRequest): Promise<Split> {
  const { dir, into, from } = request;
  const parent = readManifest(from);
  await makeFolder(dir);
  await checkMultiple(request, parent);
  const childrenOf = ({ idx: source }: ManifestShard): SplitInto['shards'] =>
    into.shards.filter(({ idx }) => idx % parent.shards.length === source);
  const notices = new Notices();
  const shards = await writeShards(request, {
    keeps: 'last',
    async fill(sinkOf) {
      for (const source of parent.shards) {
        const path = join(from, source.file);
        checkFile(path, source);
        const sink = sinkOf(childrenOf(source));
        const rejected = new Rejected(join(dir, 'rows'), 0);
        const target = { sink, check: new KeyCheck(), rejected, notices };
        await readAll({ ...request, inputs: [path] }, [path], target);
      }
    },
    check() {},
  });
  const moves = parent.shards.flatMap((source) =>
    childrenOf(source).map(({ idx, name }) => {
      return { from: source.name, to: name, keys: shards[idx].keys };
    }),
  );
  const manifest = await end(request, shards, parent.version);
  return { manifest, notices: notices.texts, rejected: 0, firstRejected: [], moves };
}

async function checkMultiple({ dir, from, into }: ReshardRequest, parent: Manifest): Promise<void> {
  const [before, after] = [parent.shards.length, into.shards.length];
  const refuse = (what: string): never => {
    throw new GoromdbError('OPTION_INVALID', `${from}: ${what}`);
  };
  const [own, other] = await Promise.all([folderKey(dir), folderKey(from)]);
  if (own === other) refuse('expected another folder than the one to write');
  if (into.hash !== parent.hash) refuse(`expected the hash ${into.hash}, found ${parent.hash}`);
  if (after <= before || after % before !== 0) {
    refuse(`it has ${before} shards: expected a multiple of them, found ${after}`);
  }
}

function checkFile(path: string, { sha256 }: ManifestShard): void {
  const found = sha256Of(path);
  if (found === sha256) return;
  const message = `${path}: expected SHA-256 ${sha256}, as its manifest says, found ${found}`;
  throw new GoromdbError('DATA_CORRUPT', message);
}

async function readAll(
  request: RecordsRequest & SplitTarget,
  inputs: readonly string[],
  target: InputTarget,
): Promise<void> {
  for (const input of inputs)
    await readInput({ ...request, scratchDir: request.dir }, input, target);
  throwIfAborted(request.signal);
}

/** How some shards' files are made. */
interface ShardsWork {
  readonly keeps: OutputPlan['keeps'];
  /** @param sinkOf Makes what hands records to some of the shards. */
  readonly fill: (sinkOf: (shards: SplitInto['shards']) => RecordSink) => Promise<void>;
  readonly check: (finished: Finished, name: string) => void;
}

/** Makes all files. @returns What the manifest says of each, in the order of `idx`. */
async function writeShards(
  { dir, into }: SplitTarget,
  { keeps, fill, check }: ShardsWork,
): Promise<readonly ManifestShard[]> {
  const { shards } = into;
  const share = Math.floor(BLOCKS_BYTES / shards.length);
  const blockBytes = Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, share));
  const plans = shards.map((shard): OutputPlan => {
    const path = join(dir, fileOf(shard));
    return { path, format: 'table', keeps, blockBytes, part: partOf(into, shard.idx) };
  });
  const written = await writeOutputs(plans, {
    fill: (writers) => fill((some) => routingSink(into, some, writers)),
    check: (finished, i) => check(finished, shards[i].name),
    // What is there is not complete until the new manifest is.
    async beforeNames() {
      await remove(join(dir, MANIFEST));
      await syncFolder(dir);
    },
  });
  return shards.map((shard, i) => {
    const { name, idx, slots } = shard;
    const { md5, bytes, keys } = written[i];
    const sha256 = sha256Of(plans[i].path);
    return { name, idx, slots, file: fileOf(shard), sha256, md5, bytes, keys };
  });
}

/**
 * Hands each record to the writer of its shard.
 *
 * @param shards Where records may go.
 * @param writers Of all shards, by their `idx`.
 */
function routingSink(
  into: SplitInto,
  shards: SplitInto['shards'],
  writers: readonly TableWriter[],
): RecordSink {
  const { shardOf } = shardFunctionOf(into);
  const writerOf: (TableWriter | undefined)[] = into.shards.map(() => undefined);
  for (const { idx } of shards) writerOf[idx] = writers[idx];
  return {
    add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
      const shard = shardOf(key, keyStart, keyEnd);
      const writer = writerOf[shard];
      if (writer === undefined) throw misplaced(key, keyStart, keyEnd, into.shards[shard].name);
      writer.add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags);
    },
  };
}

function misplaced(key: Uint8Array, start: number, end: number, shard: string): GoromdbError {
  const finding = new Finding();
  finding.note(key, start, end, () => undefined);
  const message = `expected keys that stay, found ${finding.first}, which goes to ${shard}: the shards before were split by another rule`;
  return new GoromdbError('DATA_CORRUPT', message);
}

function repeatsOf({ repeats }: Finished, name: string): string | undefined {
  if (repeats === undefined) return undefined;
  const records = repeats.count === 1 ? '1 record has' : `${repeats.count} records have`;
  return `${name}: ${records} a key that came before; the first such key is ${printable(repeats.key.toString())}`;
}

async function end(
  { dir, set, into }: SplitTarget,
  shards: readonly ManifestShard[],
  parent: string | null,
): Promise<Manifest> {
  const manifest = manifestOf({ set, hash: into.hash, shards, parent });
  await writeAtomically(join(dir, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
}
