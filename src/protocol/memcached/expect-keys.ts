import type { ForeignKeys } from '../../handler/foreign-keys.ts';
import { isGet, isGetAndTouch, skipSpaces, wordEnd } from '../line.ts';
import { ASKED_KEY_BYTES_MAX } from '../writes.ts';

/** Input that is looked through for keys: about what one read takes. */
const LOOKED_THROUGH_BYTES_MAX = 64 * 1024;

/** So many commands without a key to expect end the search. */
const OTHERS_MAX = 8;

/** The letter that meta commands begin with. */
const META = 0x6d;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/**
 * Has the keys asked for together that the commands in input[from, end) are going to look up. What is no
 * plain retrieval is passed over: its key is asked for when its turn comes.
 *
 * @param isInKeys Whether the input begins between two keys of one command.
 */
export function expectKeys(
  foreign: ForeignKeys,
  input: Buffer,
  from: number,
  end: number,
  isInKeys: boolean,
): void {
  const until = Math.min(end, from + LOOKED_THROUGH_BYTES_MAX);
  let at = from;
  let isKeys = isInKeys;
  let others = 0;
  while (at < until && others < OTHERS_MAX) {
    let lineFeed = at;
    while (lineFeed < until && input[lineFeed] !== LF) lineFeed++;
    const textEnd =
      lineFeed === until ? lastSpace(input, at, until) : textEndOf(input, at, lineFeed);
    const keys = isKeys ? at : keysOf(input, at, textEnd);
    others = keys === textEnd ? others + 1 : 0;
    const isMeta = !isKeys && input[at] === META;
    if (!expectWords(foreign, input, keys, textEnd, isMeta ? 1 : Infinity)) return;
    at = lineFeed + 1;
    isKeys = false;
  }
}

function textEndOf(input: Buffer, start: number, lineFeed: number): number {
  return lineFeed > start && input[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
}

/** Where the last word of a line begins, which may not be whole. */
function lastSpace(input: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && input[at] !== SPACE) at--;
  return at;
}

/** Where the keys begin of the command in input[start, end); `end`: it has none. */
function keysOf(input: Buffer, start: number, end: number): number {
  const verb = skipSpaces(input, start, end);
  const verbEnd = wordEnd(input, verb, end);
  if (isGet(input, verb, verbEnd)) return verbEnd;
  if (isGetAndTouch(input, verb, verbEnd)) {
    return wordEnd(input, skipSpaces(input, verbEnd, end), end);
  }
  const isMetaGet = verbEnd - verb === 2 && input[verb] === META && input[verb + 1] === 0x67;
  return isMetaGet ? verbEnd : end;
}

/** @returns Whether there is room for more. */
function expectWords(
  foreign: ForeignKeys,
  input: Buffer,
  from: number,
  end: number,
  countMax: number,
): boolean {
  let key = skipSpaces(input, from, end);
  for (let count = 0; key < end && count < countMax; count++) {
    const keyEnd = wordEnd(input, key, end);
    if (keyEnd - key <= ASKED_KEY_BYTES_MAX && !foreign.expect(input, key, keyEnd)) return false;
    key = skipSpaces(input, keyEnd, end);
  }
  return true;
}
