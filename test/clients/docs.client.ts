/** The commands of the documentation, run as a reader runs them: in order, in one shell for each page. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { blocksIn, isCommands, PAGES_RUN, type Step, stepsOf } from '../docs/blocks.ts';
import { freePort } from '../support/free-ports.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const LOG_LINE = /^TIME (?:info|warn|error) /;

/** What differs each time. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'],
  [/\d+\.\d{3} s\b/g, 'SECONDS'],
  [/pid \d+/g, 'pid PID'],
  [/Node v[\d.]+/g, 'Node VERSION'],
];

/** A shell in a folder of its own, where the `/srv` of the pages is. */
class Shell {
  readonly #folder = mkdtempSync(join(tmpdir(), 'goromdb-docs-'));
  readonly #port: string;
  readonly #bash: ChildProcess;
  #said = '';

  /** @param port What a free port is used for. */
  constructor(port: number) {
    this.#port = String(port);
    for (const name of ['srv/shop', 'srv/drop', 'bin']) {
      mkdirSync(join(this.#folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'bin/goromdb.js'), join(this.#folder, 'bin/goromdb'));
    const path = `${join(this.#folder, 'bin')}:${process.env.PATH}`;
    this.#bash = spawn('bash', ['--noprofile', '--norc'], {
      cwd: join(this.#folder, 'srv/shop'),
      // A group of its own, which ends with all that it has started.
      detached: true,
      // redis-cli prints as on a terminal.
      env: { ...process.env, PATH: path, TMPDIR: this.#folder, FAKETTY: '1' },
    });
    this.#bash.stdin!.write('exec 2>&1\n');
    this.#bash.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
    onTestFinished(() => {
      process.kill(-this.#bash.pid!, 'SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  putFile(name: string, text: string): void {
    writeFileSync(join(this.#folder, 'srv/shop', name), this.#here(text), { mode: 0o755 });
  }

  async run({ command, output }: Step): Promise<void> {
    const start = this.#said.length;
    const lines = (): readonly string[] => this.#lines(start);
    // The port that it takes without the flag is in use, maybe.
    const addressed = command.replace(/^goromdb serve (?!.*-addr)/, '$&-addr 127.0.0.1:11211 ');
    this.#bash.stdin!.write(`${this.#here(addressed)}\necho "[exit $?]"\n`);
    await expect
      .poll(lines, { message: command })
      .toContainEqual(expect.stringMatching(/^\[exit \d+\]$/));
    if (command.endsWith('&')) await this.#says(start, /listens on|In another terminal/);
    if (/\.md5$|^\.\/publish\.sh /.test(command)) await this.#says(start, / serves from |rejected/);
    if (output === undefined) {
      expect(lines(), command).toContain('[exit 0]');
      return;
    }
    const shown = output.map(masked);
    const [logged, printed] = [shown.filter(isLog), shown.filter((line) => !isLog(line))];
    await expect.poll(() => lines().filter(isPrinted), { message: command }).toEqual(printed);
    // More may be in the log than is shown.
    await expect
      .poll(() => lines().filter(isLog), { message: command })
      .toEqual(expect.arrayContaining(logged));
  }

  #says(start: number, pattern: RegExp): Promise<void> {
    return expect.poll(() => this.#said.slice(start)).toMatch(pattern);
  }

  /** What was said since, as it stands on the page. */
  #lines(start: number): readonly string[] {
    const text = this.#said.slice(start).replaceAll(`${this.#folder}/srv/`, '/srv/');
    return masked(text.replaceAll(this.#port, '11211'))
      .replaceAll('\r', '')
      .split('\n')
      .slice(0, -1);
  }

  #here(text: string): string {
    return text.replaceAll('/srv/', `${this.#folder}/srv/`).replaceAll('11211', this.#port);
  }
}

function isLog(line: string): boolean {
  return LOG_LINE.test(line);
}

function isPrinted(line: string): boolean {
  return !isLog(line) && !/^\[exit \d+\]$/.test(line);
}

function masked(text: string): string {
  return VARYING.reduce((masked, [pattern, name]) => masked.replace(pattern, name), text);
}

test.each(PAGES_RUN)('%s shows commands that work, and what they print', async (page) => {
  const shell = new Shell(await freePort());
  for (const block of blocksIn(readFileSync(join(ROOT, page), 'utf8'))) {
    const file = block.notes.get('file');
    if (file !== undefined) shell.putFile(file, `${block.lines.join('\n')}\n`);
    else if (isCommands(block)) for (const step of stepsOf(block)) await shell.run(step);
  }
});
