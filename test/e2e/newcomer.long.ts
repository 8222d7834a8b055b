/** Follows README from its top in an empty folder with Node and the package, and counts the commands. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../src/common/address.ts';
import { blocksIn, stepsOf } from '../docs/blocks.ts';
import { sectionOf } from '../docs/pages.ts';
import { type Installed, installPackage } from '../support/installed.ts';
import { TextClient } from '../support/text-client.ts';

/** Types commands into shells of their own, and counts them. */
class Newcomer {
  readonly #installed: Installed;
  commands = 0;

  constructor(installed: Installed) {
    this.#installed = installed;
  }

  has(name: string, text: string): void {
    writeFileSync(join(this.#installed.folder, name), text);
  }

  async types(command: string): Promise<void> {
    const shell = this.#start(command);
    const code = await new Promise((resolve) => shell.once('close', resolve));
    expect(code, command).toBe(0);
  }

  /** Starts what serves, and waits until clients can ask. */
  async serves(command: string): Promise<{ client: TextClient; stop: () => Promise<void> }> {
    // The port that README names may be in use.
    const addressed = command.includes('-addr')
      ? command.replace(/-addr \S+/, '-addr 127.0.0.1:0')
      : `${command} -addr 127.0.0.1:0`;
    const shell = this.#start(`exec ${addressed}`);
    // `serve` says what to type when its data serves; a server of drops waits for them.
    const ready = command.includes(' serve') ? /Ctrl-C ends it/ : /listens on .*\n/;
    const said = await new Promise<string>((resolve, reject) => {
      let all = '';
      for (const stream of [shell.stdout!, shell.stderr!]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          all += text;
          if (ready.test(all) && all.includes('listens on')) resolve(all);
        });
      }
      shell.once('close', () => reject(new Error(`${command}: ${all}`)));
    });
    const client = await TextClient.connect(parseAddress(/listens on ([^;\s]+)/.exec(said)![1]));
    const stop = async (): Promise<void> => {
      client.close();
      const ended = new Promise((resolve) => shell.once('close', resolve));
      shell.kill('SIGINT');
      await ended;
    };
    return { client, stop };
  }

  #start(command: string): ChildProcess {
    this.commands++;
    const { folder: cwd, env } = this.#installed;
    const shell = spawn('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => {
      if (shell.exitCode === null && shell.signalCode === null) process.kill(shell.pid!, 'SIGKILL');
    });
    return shell;
  }
}

/** The commands of a section, block by block, without those that ask a server. */
function commandsIn(heading: string): readonly (readonly string[])[] {
  return blocksIn(sectionOf(`README.md#${heading}`))
    .filter(({ language }) => language === 'sh')
    .map((block) => stepsOf({ ...block, notes: new Map() }).map(({ command }) => command));
}

async function valueAt(client: TextClient, key: string): Promise<string | undefined> {
  return (await client.get([key])).at(0)?.value.toString();
}

test('README leads to the first reply by 1 command, to own data by 2, to the first swap by 4', async () => {
  const newcomer = new Newcomer(await installPackage());

  const [[serveSample], [serveOwn]] = commandsIn('try-it');
  const sample = await newcomer.serves(serveSample);
  expect(await valueAt(sample.client, 'city:paris')).toBe('Paris, France, 2.1 million people');
  expect(newcomer.commands).toBe(1);
  await sample.stop();

  newcomer.has('users.csv', 'id,name\n1,Ann\n2,Bob\n');
  const own = await newcomer.serves(serveOwn);
  expect(await valueAt(own.client, '2')).toBe('Bob');
  expect(newcomer.commands).toBe(2);
  await own.stop();

  newcomer.commands = 0;
  const [[makeFolders, serveDrops], [publish]] = commandsIn('publish-to-a-server');
  await newcomer.types(makeFolders);
  const server = await newcomer.serves(serveDrops);
  await newcomer.types(publish);
  expect(await valueAt(server.client, '2')).toBe('Bob');
  expect(newcomer.commands).toBe(3);
  newcomer.has('users.csv', 'id,name\n1,Ann\n2,Bea\n');
  await newcomer.types(publish);
  expect(await valueAt(server.client, '2')).toBe('Bea');
  expect(newcomer.commands).toBe(4);
  await server.stop();
});
