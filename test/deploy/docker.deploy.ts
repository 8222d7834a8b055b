/** The image and the compose file. No engine runs here: they are parsed, and what the build runs is run. */
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { temporaryFolder } from '../support/folder.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';
import { ROOT, run } from './program.ts';

const DOCKER = join(ROOT, 'deploy/docker');

let lines: readonly string[];
beforeAll(() => {
  const text = readFileSync(join(DOCKER, 'Dockerfile'), 'utf8').replace(/\\\n/g, ' ');
  lines = text.split('\n');
});

/** What follows an instruction, each time that it occurs. */
function all(instruction: string): readonly string[] {
  const own = lines.filter((line) => line.startsWith(`${instruction} `));
  return own.map((line) => line.slice(instruction.length + 1).trim());
}

/** What is copied from the folder of the repository. */
function sources(): readonly string[] {
  const copies = all('COPY').filter((words) => !words.startsWith('--from'));
  return copies.flatMap((words) => words.split(/\s+/).slice(0, -1));
}

it('the Dockerfile is sound, and its image runs as a user that is not root', () => {
  expect(validate(readFileSync(join(DOCKER, 'Dockerfile'), 'utf8'))).toEqual([]);
  expect(all('USER')).toEqual(['1000:1000']);
  expect(all('FROM').map((words) => words.split(' ')[0])).toEqual(
    Array(2).fill('node:24-bookworm-slim'),
  );
});

it('what it copies is there, and is not ignored', () => {
  const allowed = readFileSync(join(DOCKER, 'Dockerfile.dockerignore'), 'utf8');
  for (const source of sources()) {
    expect(existsSync(join(ROOT, source)), source).toBe(true);
    expect(allowed).toContain(`\n!${source}\n`);
  }
});

it('its command line and its health check are right ones', () => {
  const command = JSON.parse(all('CMD').at(-1)!) as readonly string[];
  expect(parseCommandLine(command, '0')).toMatchObject({
    kind: 'task',
    task: { command: 'server' },
  });
  const [, check] = /CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0])!;
  const [program, ...args] = JSON.parse(check) as readonly string[];
  expect(program).toBe('goromdb');
  expect(parseCommandLine(args, '0')).toMatchObject({ kind: 'task', task: { command: 'health' } });
});

it('what its first stage runs makes a program that runs without the tools of its build', () => {
  const build = temporaryFolder();
  for (const source of sources())
    cpSync(join(ROOT, source), join(build, source), { recursive: true });
  const [command] = all('RUN');
  const made = run('sh', ['-c', command], { cwd: build });
  expect(made.code, made.text).toBe(0);
  expect(existsSync(join(build, 'node_modules/typescript'))).toBe(false);
  const image = temporaryFolder();
  for (const path of ['package.json', 'node_modules', 'bin', 'dist']) {
    cpSync(join(build, path), join(image, path), { recursive: true });
  }
  const link = join(image, 'goromdb');
  symlinkSync(join(image, 'bin/goromdb.js'), link);
  expect(run(link, ['-version'])).toMatchObject({
    code: 0,
    text: expect.stringMatching(/^goromdb \d/),
  });
  expect(run(link, ['health', '-addr', join(image, 'none.sock')])).toMatchObject({ code: 1 });
});

it('the compose file is one that compose takes, and confines what it starts', () => {
  const file = join(DOCKER, 'compose.yml');
  expect(run('docker-compose', ['-f', file, 'config', '-q'])).toMatchObject({ code: 0 });
  const { services } = parse(readFileSync(file, 'utf8'));
  const { goromdb, publish } = services;
  expect(parseCommandLine(goromdb.command, '0')).toMatchObject({ task: { command: 'server' } });
  expect(existsSync(join(DOCKER, goromdb.build.context, goromdb.build.dockerfile))).toBe(true);
  for (const service of [goromdb, publish]) {
    expect(service).toMatchObject({
      ...{ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] },
    });
  }
  const ports = goromdb.ports as readonly string[];
  expect(ports.every((port) => port.startsWith('127.0.0.1:'))).toBe(true);
});
