/** What a token allows. It is typed into the page, kept in memory, and gone with the page. */
import type { DataSetStatus } from '../../common/status.ts';
import { find, say } from '../../page/browser/dom.ts';
import { clockText, countOf } from '../../page/browser/figures.ts';
import type { Acts } from './set-view.ts';
import { nameOf } from './verdict.ts';

/** What is asked for before it is done. */
interface Ask {
  readonly title: string;
  readonly text: string;
  /** The word on the button. */
  readonly verb: string;
  readonly path: string;
  readonly set: DataSetStatus;
  readonly done: string;
}

/** So long an outcome is shown. */
const OUTCOME_MS = 20_000;
const POST_MS_MAX = 30_000;

/** @param onDone Called when the server has done something. */
export function createActs(onDone: () => void): Acts {
  const dialog = find('ask', HTMLDialogElement);
  const form = find('ask-form', HTMLFormElement);
  const token = find('token', HTMLInputElement);
  const fault = find('ask-fault', HTMLElement);
  const go = find('ask-go', HTMLButtonElement);
  const forget = find('forget', HTMLButtonElement);
  const outcome = find('outcome', HTMLElement);
  let known = '';
  let current: Ask | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;

  const open = (ask: Ask): void => {
    current = ask;
    say(find('ask-title', HTMLElement), ask.title);
    say(find('ask-text', HTMLElement), ask.text);
    say(go, ask.verb);
    say(fault, '');
    find('token-row', HTMLElement).hidden = known !== '';
    token.value = '';
    token.required = known === '';
    go.disabled = false;
    dialog.showModal();
    (known === '' ? token : go).focus();
  };

  const tell = (text: string): void => {
    say(outcome, text);
    clearTimeout(silence);
    silence = setTimeout(() => say(outcome, ''), OUTCOME_MS);
  };

  const run = async (ask: Ask): Promise<void> => {
    go.disabled = true;
    const given = known || token.value.trim();
    const reply = await post(ask, given);
    go.disabled = false;
    if (reply.isRefused) {
      known = '';
      forget.hidden = true;
      find('token-row', HTMLElement).hidden = false;
      token.required = true;
      say(fault, reply.text);
      token.select();
      return;
    }
    known = given;
    forget.hidden = false;
    dialog.close();
    tell(reply.text);
    onDone();
  };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (current !== undefined && !go.disabled) void run(current);
  });
  find('ask-not', HTMLButtonElement).addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    token.value = '';
  });
  forget.addEventListener('click', () => {
    known = '';
    forget.hidden = true;
    tell('The token is forgotten.');
  });
  return {
    rollback: (set) => open(rollbackOf(set)),
    rescan: (set) => open(rescanOf(set)),
  };
}

function rollbackOf(set: DataSetStatus): Ask {
  const { previous, serving } = set;
  const name = nameOf(set);
  const text =
    previous === undefined
      ? ''
      : `The data of generation ${previous.generation} serves again, under a new number: ${countOf(previous.keys, 'key')}, installed ${clockText(Date.parse(previous.installedAt))}. Generation ${serving?.generation} stays as the previous one.`;
  return {
    ...{ title: `Roll back ${name}?`, text, verb: 'Roll back', path: 'api/rollback', set },
    done: `${name} was rolled back.`,
  };
}

function rescanOf(set: DataSetStatus): Ask {
  const name = nameOf(set);
  const text = `goromdb looks at ${set.file} now, and again at a file that was refused.`;
  return {
    ...{ title: `Rescan ${name}?`, text, verb: 'Rescan', path: 'api/rescan', set },
    done: `${name}: the drop folder is looked at.`,
  };
}

/** What came of a request: `isRefused`, when the token is not right. */
async function post(
  { path, set, done }: Ask,
  token: string,
): Promise<{ readonly isRefused: boolean; readonly text: string }> {
  try {
    const response = await fetch(`${path}?data_set=${encodeURIComponent(set.prefix)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(POST_MS_MAX),
    });
    if (response.ok) return { isRefused: false, text: done };
    const { message }: { message?: unknown } = await response.json();
    const text = `Not done: ${String(message)}`;
    return { isRefused: response.status === 401 || response.status === 403, text };
  } catch (error) {
    return { isRefused: false, text: `Not done: ${String(error)}` };
  }
}
