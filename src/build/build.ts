/** What belongs in this folder: makes a table file of what producers have: rows, or another format. */
import { dirname } from 'node:path';
import { GoromdbError } from '../common/errors.ts';
import { Notices } from '../common/notices.ts';
import { checkedSink, KeyCheck } from '../storage/scanners/key-check.ts';
import { printable } from '../storage/scanners/name-list.ts';
import type { Repeats } from '../storage/table/table-index.ts';
import { expandInputs } from './expand.ts';
import { InputPlaces } from './input-places.ts';
import { expectOneValue } from './one-value.ts';
import { type OutputPlan, writeOutputs } from './output.ts';
import {
  noticesOf,
  type RecordsRequest,
  readInput,
  refuseToReplace,
  throwIfAborted,
} from './read-inputs.ts';
import { Rejected, type RejectedRow } from './rejected.ts';

export interface BuildRequest extends RecordsRequest {
  /** Where the table goes; its sum file beside it, as `<out>.md5`. */
  readonly out: string;
  /** What is written. Default: `table`. */
  readonly format?: 'table' | 'lmdb' | 'jsonl' | undefined;
  /** Whether several records with one key end the build, unless they are equal. */
  readonly needsOneValue?: boolean | undefined;
}

export interface Built {
  readonly keys: number;
  readonly bytes: number;
  readonly md5: string;
  /** What the producer should know, though the table is sound. */
  readonly notices: readonly string[];
  /** How many rows were left out, and the first hundred of them. */
  readonly rejected: number;
  readonly firstRejected: readonly RejectedRow[];
}

/**
 * Makes a table of the inputs. The same inputs in the same order give the same bytes.
 *
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNKNOWN, FORMAT_UNSUPPORTED, LIMIT_EXCEEDED when an input is
 *   bad; FILE_UNREADABLE, DISK_FULL, FOLDER_UNUSABLE, OUT_OF_MEMORY, OPTION_INVALID;
 *   LOADER_FAILED when it is aborted. Nothing is written
 *   then.
 */
export async function buildTable(request: BuildRequest): Promise<Built> {
  const rejected = new Rejected(request.out, request.skipBad ?? 0);
  const notices = new Notices();
  const check = new KeyCheck();
  const places = new InputPlaces();
  try {
    const { out, format = 'table', duplicates } = request;
    const keeps = duplicates === 'first' ? 'first' : 'last';
    const plan: OutputPlan = { path: out, format, keeps };
    const [{ keys, bytes, md5 }] = await writeOutputs([plan], {
      async fill([writer]) {
        const inputs = expandInputs(request.inputs, out);
        refuseToReplace(inputs, request, out);
        const sink = checkedSink(writer, check);
        const scratchDir = dirname(out);
        for (const input of inputs) {
          const target = { sink, check, rejected, notices, places };
          await readInput({ ...request, scratchDir }, input, target);
        }
      },
      async check(finished, _, table) {
        throwIfAborted(request.signal);
        for (const text of noticesOf(request, check)) notices.add(text);
        if (finished.repeats === undefined) return;
        if (request.needsOneValue) await expectOneValue(table, places);
        else checkRepeats(request, finished.repeats, places, notices);
      },
    });
    await rejected.keep();
    const firstRejected = rejected.first;
    return { keys, bytes, md5, notices: notices.texts, rejected: rejected.count, firstRejected };
  } finally {
    await rejected.close();
  }
}

function checkRepeats(
  { duplicates }: BuildRequest,
  repeats: Repeats,
  places: InputPlaces,
  notices: Notices,
): void {
  const records = repeats.count === 1 ? '1 record has' : `${repeats.count} records have`;
  const text = `${records} a key that came before; the first such key is ${printable(repeats.key.toString())}, ${places.describe(repeats.first)}`;
  if (duplicates === 'error') throw new GoromdbError('DATA_CORRUPT', text);
  notices.add(`${text}; the ${duplicates === 'first' ? 'first' : 'last'} of each is kept`);
}
