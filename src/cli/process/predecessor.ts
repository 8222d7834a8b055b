import process from 'node:process';
import { Predecessor } from '../../upgrade/predecessor.ts';

let found: Predecessor | undefined;
let isSought = false;

/**
 * The process that this one takes over from, if there is one.
 *
 * @throws GoromdbError UPGRADE_FAILED.
 */
export function predecessor(): Predecessor | undefined {
  if (isSought) return found;
  isSought = true;
  found = Predecessor.find(process.env);
  return found;
}
