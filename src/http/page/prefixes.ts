/** Which prefixes of keys clients ask a data set for, if the server says so. */
import { fill, make, say } from '../../page/browser/dom.ts';
import { ageText, countText, shareText } from '../../page/browser/figures.ts';

/** The sample is of minutes: it need not be read as often as the status. */
const PREFIXES_MS = 10_000;
const PREFIXES_ANSWER_MS_MAX = 5_000;
/** Below so many lookups, shares say little. */
const SAMPLED_MIN = 20;

/** What `/api/prefixes` answers. */
interface Prefixes {
  readonly delimiter: string;
  readonly seconds: number;
  readonly sampled: number;
  readonly prefixes: readonly {
    readonly prefix: string;
    readonly lookups: number;
    readonly hits: number;
  }[];
}

/** The server was started without: it is not asked again. */
let areOff = false;

export interface PrefixView {
  readonly element: HTMLElement;
  /** To be called while it is seen. @param set The prefix of the data set. */
  update(set: string): void;
}

export function createPrefixView(): PrefixView {
  const note = make('p', { class: 'note' });
  const body = make('tbody');
  const heads = ['Keys that begin with', 'Lookups', 'Hits'].map((text) =>
    make('th', { scope: 'col' }, text),
  );
  const table = make('table', {}, make('thead', {}, make('tr', {}, ...heads)), body);
  const title = make('h4', {}, 'Hot prefixes');
  const element = make('section', { class: 'prefixes' }, title, table, note);
  element.hidden = true;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  const show = (found: Prefixes): void => {
    element.hidden = false;
    table.hidden = found.sampled < SAMPLED_MIN;
    say(note, prefixNote(found));
    fill(body, JSON.stringify(found), () =>
      found.prefixes.map(({ prefix, lookups, hits }) =>
        make(
          'tr',
          {},
          make('th', { scope: 'row' }, prefix),
          make('td', {}, shareText(lookups / found.sampled)),
          make('td', {}, shareText(hits / lookups)),
        ),
      ),
    );
  };
  return {
    element,
    update: (set) => {
      if (areOff || performance.now() - askedAtMs < PREFIXES_MS) return;
      askedAtMs = performance.now();
      // What could not be asked is asked again; the poll of the status says why.
      askPrefixes(set).then(
        (found) => found && show(found),
        () => {},
      );
    },
  };
}

async function askPrefixes(set: string): Promise<Prefixes | undefined> {
  const answer = await fetch(`api/prefixes?data_set=${encodeURIComponent(set)}`, {
    cache: 'no-store',
    signal: AbortSignal.timeout(PREFIXES_ANSWER_MS_MAX),
  });
  areOff ||= answer.status === 404;
  return answer.ok ? answer.json() : undefined;
}

function prefixNote({ sampled, seconds, delimiter, prefixes }: Prefixes): string {
  const span = ageText(seconds);
  if (sampled < SAMPLED_MIN) return `Too few lookups in the last ${span}.`;
  const inOne = prefixes.reduce((sum, { lookups }) => sum + lookups, 0);
  const others = sampled - inOne;
  const rest =
    others === 0
      ? ''
      : `; ${shareText(others / sampled)} were of other keys, or without “${delimiter}”`;
  return `Of ${countText(sampled)} lookups sampled in the last ${span}${rest}.`;
}
