import tls from 'node:tls';
import { Client } from 'undici';
import { messageOf } from '../../common/errors.ts';
import type { Figures, NodeFacts, NodeView } from '../overview.ts';

/** A node that takes longer does not answer. */
const ANSWER_MS_MAX = 1_500;
const ANSWER_BYTES_MAX = 16 * 1024;
/** Nodes that are asked side by side: as many as may be dead, all are asked within the time of a page. */
const ASKED_AT_ONCE = 64;

/** Asks nodes for their figures. */
export async function askNodes(
  nodes: readonly NodeFacts[],
  own: tls.TlsOptions | undefined,
): Promise<readonly NodeView[]> {
  const views: NodeView[] = [];
  for (let i = 0; i < nodes.length; i += ASKED_AT_ONCE) {
    const some = nodes.slice(i, i + ASKED_AT_ONCE);
    views.push(...(await Promise.all(some.map((node) => askNode(node, own)))));
  }
  return views;
}

async function askNode(node: NodeFacts, own: tls.TlsOptions | undefined): Promise<NodeView> {
  if (node.url === undefined) return { ...node, why: 'it listens on a UNIX socket' };
  try {
    const answer: unknown = JSON.parse(await textOf(`${node.url}/status`, own));
    const figures = figuresOf(answer);
    if (figures === undefined) throw new Error('expected figures, found something else');
    // A later process has the port, or its URL leads to several.
    if (idOf(answer) !== node.id) throw new Error('another node answers there');
    return { ...node, figures };
  } catch (error) {
    return { ...node, why: messageOf(error) };
  }
}

/** @param own What this node shows to clients: nodes may share a certificate that no authority knows. */
async function textOf(url: string, own: tls.TlsOptions | undefined): Promise<string> {
  const { origin, pathname } = new URL(url);
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const shown = own?.cert ? { cert: own.cert, key: own.key, ca: authoritiesWith(own.cert) } : {};
  // A connection for each: a node that is shown is asked every two seconds at most.
  const client = new Client(origin, { connect: shown as tls.SecureContextOptions });
  const end = (): void => void client.destroy().catch(() => {});
  // A request with the signal would wait until there is a connection, or none after 10 s.
  signal.addEventListener('abort', end);
  try {
    const response = await client.request({ method: 'GET', path: pathname });
    if (response.statusCode !== 200) {
      throw new Error(`it answers with HTTP status ${response.statusCode}`);
    }
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of response.body as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > ANSWER_BYTES_MAX) throw new Error('its answer is too long');
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  } catch (error) {
    throw signal.aborted ? new Error(`no answer in ${ANSWER_MS_MAX} ms`) : error;
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

function authoritiesWith(cert: NonNullable<tls.TlsOptions['cert']>): (string | Buffer)[] {
  return [...tls.rootCertificates, ...([cert].flat() as (string | Buffer)[])];
}

const NAMES = [
  ...(['gets', 'hits', 'misses', 'readsUnavailable', 'created', 'same', 'conflicts'] as const),
  ...(['unknown', 'refused', 'warmed', 'cachedItems', 'cachedBytes'] as const),
];

/** @returns undefined: it is none of ours that answers. */
function figuresOf(answer: unknown): Figures | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const all = answer as Partial<Record<keyof Figures, unknown>>;
  if (NAMES.some((name) => typeof all[name] !== 'number')) return undefined;
  return Object.fromEntries(NAMES.map((name) => [name, all[name]])) as unknown as Figures;
}

function idOf(answer: unknown): unknown {
  return (answer as { readonly node?: { readonly id?: unknown } }).node?.id;
}
