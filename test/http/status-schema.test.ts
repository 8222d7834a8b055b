/** docs/status.schema.json, held against what servers answer: a field that it lacks turns this red. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { HttpSubject, TOKEN } from './http-subject.ts';

const SCHEMA = JSON.parse(
  readFileSync(new URL('../../docs/status.schema.json', import.meta.url), 'utf8'),
);

const validate = new Ajv2020({ allErrors: true, formats: { 'date-time': isTime } }).compile(SCHEMA);

function isTime(text: string): boolean {
  return new Date(text).toISOString() === text;
}

function logged({ logger }: HttpSubject, text: string): Promise<void> {
  return expect.poll(() => logger.lines.join('\n')).toContain(text);
}

/** What is wrong with a status. */
function faultsOf(status: unknown): readonly string[] {
  validate(status);
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `${instancePath} ${message} ${JSON.stringify(params)}`;
  });
}

test('/api/status and goromdb status -json are as the schema says, whatever has happened', async () => {
  const tokenFile = join(temporaryFolder(), 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`);
  const subject = await HttpSubject.start({ tokenFile });
  const { file, goromdb } = subject;
  const seen = new Set<string>();
  const check = async (): Promise<void> => {
    const status = JSON.parse((await subject.ask('/api/status')).text);
    expect(faultsOf(status)).toEqual([]);
    for (const name of Object.keys(status.dataSets[0])) seen.add(name);
  };
  await check();
  drop(file, '{"a":"1"}');
  await logged(subject, 'generation 1 serves');
  drop(file, '{"a":"1","a":"2"}');
  await logged(subject, 'generation 2 serves');
  await check();
  expect((await subject.post('/api/rollback', TOKEN)).status).toBe(200);
  await check();
  drop(file, '[]');
  await logged(subject, 'quarantined');
  writeFileSync(file, '{}');
  await expect.poll(() => goromdb.status().dataSets[0].waiting).toBeDefined();
  await check();
  for (const name of ['previous', 'lastError', 'waiting']) expect(seen).toContain(name);

  const { basedir } = goromdb.status().dataSets[0];
  const command = new GoromdbProcess(['status', '-basedir', basedir, '-json']);
  expect(await command.exit()).toBe(0);
  const { server, dataSets } = JSON.parse(command.stdout);
  expect(faultsOf({ server, dataSets })).toEqual([]);
});

test('the schema refuses a status with a field that it does not know', () => {
  expect(faultsOf({ server: {}, dataSets: [], more: 1 }).length).toBeGreaterThan(2);
});
