import net from 'node:net';
import { type ErrorCode, GoromdbError, messageOf } from '../common/errors.ts';
import { controlPath } from './control-path.ts';
import { type Holder, parseHolder } from './folder-lock.ts';

/** Longest line of a request. */
export const REQUEST_BYTES_MAX = 4_096;
/** Longest answer: a status is a few thousand bytes. */
const ANSWER_BYTES_MAX = 1024 * 1024;
/** Longest time until the greeting of a server. */
const GREETING_MS_MAX = 1_000;

export interface Request {
  readonly command: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** The greeting of a control socket, and the answer if there was a request. */
interface Conversation {
  readonly holder: Holder | undefined;
  readonly answer: string | undefined;
  /** The time is over. */
  readonly isLate: boolean;
}

/**
 * Finds the server of a base folder by its control socket.
 *
 * @returns undefined when no server listens there.
 * @throws GoromdbError FOLDER_UNUSABLE when this user may not open the socket.
 */
export async function findServer(baseDir: string): Promise<Holder | undefined> {
  const conversation = await converse(baseDir, undefined, GREETING_MS_MAX);
  if (conversation === undefined) return undefined;
  return conversation.holder ?? { pid: 0, host: 'an unknown host', since: 'an unknown time' };
}

/**
 * Sends a command to the server of a base folder.
 *
 * @param timeoutMs Longest time until the answer.
 * @returns Its result, or undefined when no server runs there.
 * @throws GoromdbError of the command, or SERVER_FAILED when there is no answer in time.
 */
export async function askServer(
  baseDir: string,
  request: Request,
  timeoutMs: number,
): Promise<{ readonly holder: Holder | undefined; readonly result: unknown } | undefined> {
  const conversation = await converse(baseDir, request, timeoutMs);
  if (conversation === undefined) return undefined;
  const { holder, answer, isLate } = conversation;
  if (answer === undefined) {
    const who = holder === undefined ? 'the server' : `the server (pid ${holder.pid})`;
    const what = isLate
      ? `has not answered within ${timeoutMs / 1000} s`
      : 'closed the connection before it answered';
    const message = `${who} of ${baseDir} ${what}: try again`;
    throw new GoromdbError('SERVER_FAILED', message);
  }
  const parsed = JSON.parse(answer) as Answer;
  if (!parsed.ok) throw new GoromdbError(parsed.code, parsed.message);
  return { holder, result: parsed.result };
}

function converse(
  baseDir: string,
  request: Request | undefined,
  timeoutMs: number,
): Promise<Conversation | undefined> {
  const { path, shown, close } = openPath(baseDir);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(path);
    let isLate = false;
    const finish = (): void => {
      socket.destroy();
      const [greeting, answer] = text.split('\n', 2);
      const isWhole = text.indexOf('\n', greeting.length + 1) !== -1;
      resolve({ holder: parseHolder(greeting), answer: isWhole ? answer : undefined, isLate });
    };
    const timer = setTimeout(() => {
      isLate = true;
      finish();
    }, timeoutMs);
    socket.once('connect', () => {
      if (request !== undefined) socket.write(`${JSON.stringify(request)}\n`);
    });
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      const isOver = request === undefined && text.includes('\n');
      if (isOver || text.length > ANSWER_BYTES_MAX) finish();
    });
    socket.once('end', finish);
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== undefined && NO_SERVER.has(cause.code)) resolve(undefined);
      else if (cause.code === 'ECONNRESET' || cause.code === 'EPIPE') finish();
      else reject(unusable(shown, cause));
    });
    socket.once('close', () => {
      clearTimeout(timer);
      close();
    });
  });
}

/** There is no folder or no socket, or a killed process left the socket behind. */
const NO_SERVER: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR']);

function openPath(baseDir: string): ReturnType<typeof controlPath> {
  try {
    return controlPath(baseDir);
  } catch (cause) {
    throw unusable(baseDir, cause);
  }
}

function unusable(path: string, cause: unknown): GoromdbError {
  const message =
    `cannot find out whether a server uses ${path} (${messageOf(cause)}): ` +
    'run this as the user of the server';
  return new GoromdbError('FOLDER_UNUSABLE', message, { cause });
}
