/**
 * Fetches a file whenever it changes, and publishes it to the server beside it. Environment: SOURCE_URL;
 * DROP, the server's -file; INTERVAL_SECONDS. The source must send an ETag, as object stores do, or a
 * time of last modification. A file that is refused is not fetched again until it changes.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';

const { SOURCE_URL, DROP, INTERVAL_SECONDS = '60', GOROMDB = 'goromdb' } = process.env;
/** How long a download may take. */
const FETCH_MS_MAX = 3_600_000;
/** Exit codes of goromdb publish after which the same file need not be tried again. */
const FINAL = new Set([0, 3, 5]);

const end = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => end.abort());

const part = join(tmpdir(), 'publisher.part');
/** What the source said of the file that was published last. */
let seen = {};

while (!end.signal.aborted) {
  await look().catch((error) => log(`${error.message}${error.cause ? `: ${error.cause}` : ''}`));
  await delay(Number(INTERVAL_SECONDS) * 1000, undefined, { signal: end.signal }).catch(() => {});
}

async function look() {
  const signal = AbortSignal.any([end.signal, AbortSignal.timeout(FETCH_MS_MAX)]);
  const response = await fetch(SOURCE_URL, { headers: seen, signal });
  if (response.status === 304) return;
  if (!response.ok) throw new Error(`${SOURCE_URL} answered ${response.status}`);
  try {
    // A body that ends too early fails here.
    await pipeline(Readable.fromWeb(response.body), createWriteStream(part));
    const code = await publish();
    log(`goromdb publish ended with ${code}`);
    if (FINAL.has(code)) seen = validatorsOf(response.headers);
  } finally {
    await rm(part, { force: true });
  }
}

function validatorsOf(headers) {
  const etag = headers.get('etag');
  const time = headers.get('last-modified');
  if (etag) return { 'if-none-match': etag };
  if (time) return { 'if-modified-since': time };
  throw new Error(`${SOURCE_URL} sends neither ETag nor Last-Modified: it is fetched each time`);
}

function publish() {
  return new Promise((resolve, reject) => {
    const options = { stdio: 'inherit', signal: end.signal };
    spawn(GOROMDB, ['publish', part, DROP], options).on('error', reject).on('close', resolve);
  });
}

function log(text) {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}
