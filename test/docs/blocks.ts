/** Reads the code blocks of a page, and what a comment in front of one says about it. */

export interface Block {
  readonly language: string;
  readonly lines: readonly string[];
  /** Line of the page that it begins in. */
  readonly at: number;
  /**
   * `<!-- not run: WHY -->`: no test can run it. `<!-- before: COMMAND -->`: what a reader has done before.
   * `<!-- file: NAME -->`: a reader has put it there. `<!-- stays: WHY -->`: its last command does not end.
   */
  readonly notes: ReadonlyMap<string, string>;
}

/** A command, with the lines that are shown as its output. */
export interface Step {
  readonly command: string;
  /** undefined: what it prints is not shown. */
  readonly output: readonly string[] | undefined;
}

const NOTE = /^<!-- (not run|before|file|stays): (.*) -->$/;

/** The pages whose commands `npm run test:clients` runs. */
export const PAGES_RUN: readonly string[] = [
  'README.md',
  'docs/configuration.md',
  'docs/drop-folder.md',
  'docs/formats.md',
  'docs/getting-started.md',
  'docs/inspect.md',
  'docs/publishing.md',
  'docs/recipes.md',
];

export function blocksIn(page: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = page.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, language] = /^```(\w*)$/.exec(lines[at]) ?? [];
    if (language === undefined) continue;
    const end = lines.indexOf('```', at + 1);
    const notes = new Map<string, string>();
    for (let above = at - 1; NOTE.test(lines[above]); above--) {
      const [, kind, text] = NOTE.exec(lines[above])!;
      notes.set(kind, text);
    }
    blocks.push({ language, lines: lines.slice(at + 1, end), at: at + 1, notes });
    at = end;
  }
  return blocks;
}

/** Whether a block has commands that a test can run. */
export function isCommands({ language, notes }: Block): boolean {
  return (
    (language === 'sh' || language === 'console') && !notes.has('not run') && !notes.has('file')
  );
}

/** The commands of a block: of `console` those behind `$ `, of `sh` each line. */
export function stepsOf({ language, lines, notes }: Block): readonly Step[] {
  const steps: { command: string; output: string[] | undefined }[] = [];
  const before = notes.get('before');
  if (before !== undefined) steps.push({ command: before, output: undefined });
  for (const line of lines) {
    const last = steps.at(-1);
    if (last?.command.endsWith('\\')) last.command = `${last.command.slice(0, -1)}${line}`;
    else if (language === 'sh') steps.push({ command: line, output: undefined });
    else if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: [] });
    else last?.output?.push(line);
  }
  if (notes.has('stays')) steps.at(-1)!.command += ' &';
  return steps;
}
