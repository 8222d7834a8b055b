/** Looks keys up, and sets them. A token is typed into the page, kept in memory, and gone with the page. */
import { find, mark, say } from '../../../page/browser/dom.ts';
import { bytesText } from '../../../page/browser/figures.ts';
import type { Level } from './verdict.ts';

const ASK_MS_MAX = 15_000;
/** Of a value that is shown. */
const SHOWN_CHARS_MAX = 20_000;
const HEX_BYTES_MAX = 512;

/** What is shown of an answer. */
interface Told {
  readonly level: Level;
  readonly title: string;
  readonly detail?: string;
  readonly value?: string;
}

/** @param onSet Called when a key was set. */
export function createForms(onSet: () => void): { needToken(isNeeded: boolean): void } {
  const tokenRow = find('token-row', HTMLElement);
  const token = find('token', HTMLInputElement);
  onSubmit('look', () => lookUp(find('look-key', HTMLInputElement).value));
  onSubmit('set', async () => {
    const key = find('set-key', HTMLInputElement).value;
    const told = await set(key, find('set-value', HTMLTextAreaElement).value, token.value.trim());
    if (told.level === 'ok') onSet();
    return told;
  });
  return {
    needToken(isNeeded) {
      tokenRow.hidden = !isNeeded;
      token.required = isNeeded;
    },
  };
}

/** Runs one request at a time, and shows what came of it. */
function onSubmit(id: string, run: () => Promise<Told>): void {
  const form = find(id, HTMLFormElement);
  const button = form.querySelector('button')!;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    void run()
      .catch((error: unknown): Told => {
        return { level: 'bad', title: 'No answer from the node', detail: String(error) };
      })
      .then((told) => {
        button.disabled = false;
        tell(told);
      });
  });
}

function tell({ level, title, detail = '', value }: Told): void {
  const box = find('answer', HTMLElement);
  box.hidden = false;
  mark(box, 'data-level', level);
  say(find('answer-title', HTMLElement), title);
  say(find('answer-detail', HTMLElement), detail);
  const field = find('answer-value', HTMLTextAreaElement);
  field.hidden = value === undefined;
  field.value = value ?? '';
}

async function lookUp(key: string): Promise<Told> {
  const signal = AbortSignal.timeout(ASK_MS_MAX);
  const response = await fetch(pathOf(key), { signal });
  if (!response.ok) return refused(response, `${key}: `);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get('content-type') ?? 'no type';
  const text = plainTextOf(bytes);
  return {
    level: 'ok',
    title: `${key} is set`,
    detail: `${bytesText(bytes.length)}, ${type}${text === undefined ? ', shown in hex' : ''}`,
    value: text ?? hexOf(bytes),
  };
}

async function set(key: string, value: string, token: string): Promise<Told> {
  const response = await fetch(pathOf(key), {
    method: 'PUT',
    headers: {
      ...{ 'if-none-match': '*', 'content-type': 'text/plain; charset=utf-8' },
      ...(token !== '' && { authorization: `Bearer ${token}` }),
    },
    body: value,
    signal: AbortSignal.timeout(ASK_MS_MAX),
  });
  if (response.status === 201) return { level: 'ok', title: `${key} was set` };
  if (response.status === 200) {
    return { level: 'ok', title: `${key} already has this value` };
  }
  return refused(response, `${key} was not set: `);
}

async function refused(response: Response, about: string): Promise<Told> {
  const { code, message }: { code?: unknown; message?: unknown } = await response.json();
  const level = response.status === 404 || response.status === 409 ? 'warn' : 'bad';
  // Nobody knows: it may have been set.
  const title = code === 'UNKNOWN' ? 'The outcome is not known' : `${about}${String(message)}`;
  const detail = code === 'UNKNOWN' ? String(message) : `${response.status} ${String(code)}`;
  return { level, title, detail };
}

function pathOf(key: string): string {
  return `key/${encodeURIComponent(key)}`;
}

/** @returns undefined: it is no text. */
function plainTextOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)} …` : text;
  } catch {
    return undefined;
  }
}

function hexOf(bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, HEX_BYTES_MAX), (one) =>
    one.toString(16).padStart(2, '0'),
  );
  return shown.join(' ') + (bytes.length > HEX_BYTES_MAX ? ' …' : '');
}
