/** The manifests for Kubernetes, and the publisher beside each server. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { parseCommandLine } from '../support/parse-command-line.ts';
import { ROOT, run } from './program.ts';

const FOLDER = join(ROOT, 'deploy/kubernetes');
const NAME = { 'app.kubernetes.io/name': 'goromdb' };

/** Where the types of each kind are declared, in the package kubernetes-types. */
const MODULES: Readonly<Record<string, string>> = {
  Service: 'core/v1',
  PodDisruptionBudget: 'policy/v1',
  StatefulSet: 'apps/v1',
};

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: the compiler checks it, see below
  readonly spec: any;
}

function manifests(): readonly Manifest[] {
  const documents = parseAllDocuments(readFileSync(join(FOLDER, 'goromdb.yaml'), 'utf8'));
  return documents.map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  });
}

/** Has the compiler compare objects with the types of Kubernetes' API: an unknown field is an error. */
function typeFaults(objects: readonly Manifest[]): string {
  // Below the repository, so that the compiler finds the package.
  const folder = join(ROOT, '.cache/kubernetes-check');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const lines = objects.map((object, i) => {
    const type = `import('kubernetes-types/${MODULES[object.kind]}').${object.kind}`;
    return `export const object${i}: ${type} = ${JSON.stringify(object)};\n`;
  });
  writeFileSync(join(folder, 'objects.ts'), lines.join(''));
  const compilerOptions = {
    ...{ strict: true, noEmit: true, types: [], skipLibCheck: true },
    ...{ module: 'preserve', moduleResolution: 'bundler' },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  return run('npx', ['tsc', '-p', folder]).text;
}

it('the manifests have the fields that the API has, and a mistake would be seen', () => {
  const objects = manifests();
  expect(objects.map(({ kind }) => kind).sort()).toEqual([
    ...['PodDisruptionBudget', 'Service', 'Service', 'StatefulSet'],
  ]);
  expect(typeFaults(objects)).toBe('');
  const set = structuredClone(objects.find(({ kind }) => kind === 'StatefulSet')!);
  set.spec.template.spec.containers[0].readinessprobe = {};
  expect(typeFaults([set])).toMatch(/readinessprobe/);
});

it('names, ports and volumes that they speak of are there', () => {
  const objects = manifests();
  const { spec } = objects.find(({ kind }) => kind === 'StatefulSet')!;
  const pod = spec.template.spec;
  expect(spec.template.metadata.labels).toMatchObject(NAME);
  for (const { spec: other } of objects) {
    expect(other.selector.matchLabels ?? other.selector).toEqual(NAME);
  }
  const services = objects.filter(({ kind }) => kind === 'Service');
  expect(services.map(({ metadata }) => metadata.name)).toContain(spec.serviceName);
  const [server, publisher] = pod.containers;
  const ports = server.ports.map(({ name }: { name: string }) => name);
  for (const probe of ['readinessProbe', 'livenessProbe', 'startupProbe']) {
    expect(ports).toContain(server[probe].httpGet.port);
  }
  for (const { spec: service } of services) expect(ports).toContain(service.ports[0].targetPort);
  const volumes = [...pod.volumes, ...spec.volumeClaimTemplates].map(
    (volume) => volume.name ?? volume.metadata.name,
  );
  for (const { volumeMounts, securityContext } of [server, publisher]) {
    for (const { name } of volumeMounts) expect(volumes).toContain(name);
    expect(securityContext).toMatchObject({
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ['ALL'] },
    });
  }
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
  const args = (server.args as readonly string[]).map((arg) => arg.replace('$(POD_NAME)', 'a-0'));
  expect(parseCommandLine(args, '0')).toMatchObject({ kind: 'task', task: { command: 'server' } });
  const [{ files }] = parse(readFileSync(join(FOLDER, 'kustomization.yaml'), 'utf8'))
    .configMapGenerator as readonly { readonly files: readonly string[] }[];
  for (const file of files) expect(existsSync(join(FOLDER, file))).toBe(true);
  expect(publisher.command[1]).toBe(`/publisher/${files[0]}`);
});

it('the publisher brings each version once, and no file that is cut short or refused', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  const server = new GoromdbProcess([
    ...['-addr', '127.0.0.1:0', '-file', file, '-basedir', join(folder, 'base')],
  ]);
  await server.address();
  let content = '{"v":"1"}';
  let isCut = false;
  const answers: number[] = [];
  const source = http.createServer(({ headers }, response) => {
    const etag = `"${md5(content)}"`;
    const isSame = headers['if-none-match'] === etag;
    answers.push(isSame ? 304 : 200);
    if (isSame) {
      response.writeHead(304).end();
      return;
    }
    response.writeHead(200, { etag, 'content-length': content.length });
    if (isCut) response.write(content.slice(0, 3), () => response.destroy());
    else response.end(content);
  });
  source.listen(0, '127.0.0.1');
  onTestFinished(() => void source.close());
  await expect.poll(() => source.listening).toBe(true);
  const { port } = source.address() as AddressInfo;
  process.env.SOURCE_URL = `http://127.0.0.1:${port}/data.json`;
  Object.assign(process.env, { DROP: file, INTERVAL_SECONDS: '0.05', TMPDIR: temporaryFolder() });
  process.env.GOROMDB = join(ROOT, 'bin/goromdb.js');
  const publisher = new GoromdbProcess([], join(FOLDER, 'publisher.mjs'));
  for (const name of ['SOURCE_URL', 'DROP', 'INTERVAL_SECONDS', 'GOROMDB', 'TMPDIR']) {
    delete process.env[name];
  }
  await server.says(/generation 1 serves/);
  await expect.poll(() => answers.filter((answer) => answer === 304).length).toBeGreaterThan(2);
  isCut = true;
  content = '{"v":"2"}';
  await publisher.says(/terminated|aborted|other side closed/);
  isCut = false;
  await server.says(/generation 2 serves/);
  content = 'not json';
  await publisher.says(/goromdb publish ended with 3/);
  const before = answers.length;
  await expect.poll(() => answers.length).toBeGreaterThan(before + 3);
  expect(answers.slice(before + 1)).not.toContain(200);
  expect(server.stderr).not.toContain('generation 3 serves');
  expect(await publisher.kill('SIGTERM')).toBe(0);
});
