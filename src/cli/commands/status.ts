import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import type { FolderEvent, Status } from '../../common/status.ts';
import { askServer } from '../../control/control-client.ts';
import { findHolder, type Holder } from '../../control/folder-lock.ts';
import { readEvents } from '../../loader/slots/events.ts';
import { readSlotStatus, type SlotStatus } from '../../loader/slots/slot-status.ts';
import { SLOT_NAMES } from '../../loader/slots/slots.ts';
import { requireFolder } from '../folders/require-folder.ts';
import { ASKING, askingOf, refuseAsking } from '../options/asking.ts';
import { BASE_FOLDER_OPTIONS } from '../options/base-folder.ts';
import { checkRequired, misuse } from '../options/option.ts';
import { parseUrl } from '../options/values.ts';
import type { HttpPlace } from '../remote/http-get.ts';
import { showRemote } from '../remote/show-remote.ts';
import { defineCommand } from './command.ts';

const TIMEOUT_MS = 5_000;

/** The state of a base folder. `server` and its one data set are as in `/api/status`, when one runs there. */
interface FolderStatus extends Partial<Status> {
  readonly basedir: string;
  /** The process that the folder is locked by. */
  readonly holder: Holder | undefined;
  /** Why the server that runs there could not be asked. */
  readonly fault: string | undefined;
  readonly slots: readonly SlotStatus[];
  /** The newest last. */
  readonly events: readonly FolderEvent[];
}

/** See `exitCodes` of the command. */
const EXIT = { serves: 0, unknown: 1, notRunning: 3, noData: 4, damaged: 5 } as const;
type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const OPTIONS = {
  ...BASE_FOLDER_OPTIONS,
  basedir: {
    ...BASE_FOLDER_OPTIONS.basedir,
    help: 'the base folder of the server: its -basedir, or else the folder of its -file (required without HOST:PORT or URL)',
    required: 'the base folder of the server; or name one elsewhere by HOST:PORT or a URL',
  },
  ...ASKING,
};

export const status = defineCommand({
  name: 'status',
  summary: 'Shows the server, its slots, the serving generation and the last events.',
  usage: 'goromdb status -basedir DIR [flags]\n       goromdb status HOST:PORT|URL [-json]',
  notes: `
Examples:
  goromdb status -basedir /srv/state
  goromdb status -json http://10.0.0.7:11280

HOST:PORT is where a remote server answers memcached clients. Use -tls-ca and
-auth-file if it needs TLS or a login. A URL, such as http://10.0.0.7:11280, is
its -http, which shows more.`,
  exitCodes: {
    0: 'a server serves from this folder; elsewhere: all data sets serve',
    1: 'the state cannot be read, DIR is no base folder, or the server elsewhere does not answer',
    2: 'a flag is wrong',
    3: 'no server runs in this folder',
    4: 'a server runs, and has no data to serve',
    5: 'a server serves, and the file that it serves from is damaged',
  },
  options: OPTIONS,
  takesArguments: true,
  read({ values, given, args }) {
    if (args.length === 0) {
      checkRequired(OPTIONS, values);
      refuseAsking(given, 'it is for HOST:PORT');
      return { basedir: values.basedir, json: values.json };
    }
    if (args.length > 1) throw misuse(`expected one HOST:PORT or URL, found ${args.length}`);
    if (given.has('basedir')) throw misuse('expected -basedir, or HOST:PORT or a URL, found both');
    const place = placeOf(args[0]);
    if (place instanceof URL) refuseAsking(given, 'it is for HOST:PORT, not for a URL');
    return { place, json: values.json, asking: askingOf(values) };
  },
  async run(request) {
    if ('place' in request) return showRemote(request.place, request.json, request.asking);
    const { basedir, json } = request;
    await requireFolder(basedir);
    const status = await readStatus(basedir);
    if (!isBaseFolder(status)) {
      const message =
        `${basedir} is no base folder: expected ${SLOT_NAMES.join(' or ')} in it, found neither, ` +
        'and no server: check -basedir';
      throw new GoromdbError('FOLDER_UNUSABLE', message);
    }
    const text = json ? JSON.stringify(status, undefined, 2) : describe(status).join('\n');
    process.stdout.write(`${text}\n`);
    return exitCodeOf(status);
  },
});

/** @throws GoromdbError OPTION_INVALID, ADDRESS_INVALID. */
function placeOf(text: string): HttpPlace {
  if (text.includes('://')) return parseUrl(text);
  if (existsSync(text) && statSync(text).isDirectory()) {
    throw misuse(`${JSON.stringify(text)} is a folder: for a base folder, use -basedir`);
  }
  return parseAddress(text);
}

function isBaseFolder({ basedir, server, fault, events }: FolderStatus): boolean {
  if (server !== undefined || fault !== undefined || events.length > 0) return true;
  return SLOT_NAMES.some((name) => existsSync(join(basedir, name)));
}

function exitCodeOf({ dataSets: [set] = [], fault }: FolderStatus): ExitCode {
  if (set === undefined) return fault === undefined ? EXIT.notRunning : EXIT.unknown;
  if (set.serving === undefined) return EXIT.noData;
  return set.serving.fileFault === undefined ? EXIT.serves : EXIT.damaged;
}

async function readStatus(basedir: string): Promise<FolderStatus> {
  let status: Partial<Status> = {};
  let holder: Holder | undefined;
  let fault: string | undefined;
  try {
    const answer = await askServer(basedir, { command: 'status' }, TIMEOUT_MS);
    status = (answer?.result as Status | undefined) ?? {};
    holder = answer?.holder ?? (await findHolder(basedir));
    if (answer === undefined) fault = describeHolder(holder);
  } catch (error) {
    fault = messageOf(error);
  }
  const [set] = status.dataSets ?? [];
  const slots = await readSlotStatus(basedir, set?.serving?.slot);
  const events = set?.events ?? (await readEvents(basedir));
  return { ...status, basedir, holder, fault, slots, events };
}

/** A server without a control socket, as on a read-only file system, still holds its folder. */
function describeHolder(holder: Holder | undefined): string | undefined {
  if (holder === undefined) return undefined;
  const { pid, host, since } = holder;
  return `a server runs here (pid ${pid} on ${host}, since ${since}), and has no control socket: it cannot be asked`;
}

function describe(status: FolderStatus): string[] {
  const { server, dataSets: [set] = [], holder, fault, slots, events } = status;
  const lines: string[] = [];
  if (server === undefined || set === undefined) lines.push(fault ?? 'no server runs here');
  else {
    const { file, serving, loading, waiting } = set;
    lines.push(
      `server   pid ${holder?.pid} on ${holder?.host}, since ${holder?.since}, on ${server.address}`,
      `waits    for ${file}`,
      `serves   ${serving === undefined ? 'nothing yet' : `generation ${serving.generation} from slot ${serving.slot}`}`,
    );
    if (set.fault !== undefined) lines.push(`fault    ${set.fault}`);
    if (waiting !== undefined) {
      const { code, text, sinceMs } = waiting;
      lines.push(`drop     ${code}, since ${new Date(sinceMs).toISOString()}: ${text}`);
    }
    if (serving?.fileFault !== undefined) lines.push(`damage   ${serving.fileFault}`);
    if (loading !== undefined) {
      const { path, stage, bytes } = loading;
      lines.push(
        `loads    ${path}: ${stage}${bytes === undefined ? '' : `, ${formatBytes(bytes)}`}`,
      );
    }
  }
  lines.push('', ...slots.flatMap(describeSlot), '', 'last events:');
  for (const { at, kind, text } of events) lines.push(`  ${at} ${kind}: ${text}`);
  if (events.length === 0) lines.push('  none');
  // File names, and what was found in files, must not move the cursor of a terminal.
  return lines.map(oneLine);
}

function describeSlot({ slot, state, path, md5, record, fault }: SlotStatus): readonly string[] {
  const head = `${slot}   ${state === 'first' ? 'serves at the next start' : state}`;
  if (state === 'empty') return [head];
  if (state === 'unreadable') return [`${head}: ${fault}`];
  if (record === undefined) {
    return [`${head}: ${path}, md5 ${md5}, filled by another program`];
  }
  const { generation, restores, keys, bytes, format, source, installedAt, warnings = [] } = record;
  const was = restores === undefined ? '' : ` (the data of ${restores})`;
  return [
    `${head}: generation ${generation}${was}, ${keysOf(keys)}, ${formatBytes(bytes)} of ${format}, ` +
      `md5 ${md5}, from ${source}, ${installedAt}`,
    ...warnings.map((warning) => `         warning: ${warning}`),
  ];
}
