/** The program of the loader process: see `LoaderProcesses`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import process from 'node:process';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { closeStrays, type Stray } from '../../common/strays.ts';
import { explained } from '../../common/system-fault.ts';
import type { LoaderMessage } from './loader-process.ts';
import type { Stage } from './progress.ts';
import { type LoadRequest, load } from './worker.ts';

/**
 * A third of the processor time of a process with 0: enough to go on beside other busy programs. V8's
 * helper threads have it, too, which a thread of the server could not give them.
 */
const LOADER_NICE = 5;

/** Added to what the system goes by when memory is short, from 0 to {@link OOM_SCORE_MAX}. */
const OOM_SCORE = 500;
const OOM_SCORE_MAX = 1000;

/** Least time between two messages of progress. */
const PROGRESS_INTERVAL_MS = 100;

/** A terminal and an init system send these to the whole group: the server ends a load itself. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

const serverPid = process.ppid;
let sentMs = 0;
let sentStage: Stage | undefined;

/**
 * A load takes the whole thread, so that nobody hears there that the server has ended. It must not go
 * on then: the next server may write to the same slot.
 */
function onProgress(stage: Stage, bytes: number): void {
  if (process.ppid !== serverPid) process.exit(1);
  const nowMs = performance.now();
  if (stage === sentStage && nowMs - sentMs < PROGRESS_INTERVAL_MS) return;
  sentMs = nowMs;
  sentStage = stage;
  send({ kind: 'progress', progress: { stage, bytes } });
}

function send(message: LoaderMessage): void {
  // That nobody listens any more is seen by the next progress.
  process.send!(message, undefined, undefined, () => {});
}

/**
 * Has this process give way to others that want the processor, and be the first to end when the system
 * is out of memory: a load can be repeated. Where the system has no such thing, nothing happens.
 */
function giveWay(): void {
  try {
    for (const thread of readdirSync('/proc/self/task'))
      os.setPriority(Number(thread), LOADER_NICE);
    const path = '/proc/self/oom_score_adj';
    const score = Math.min(OOM_SCORE_MAX, Number(readFileSync(path, 'utf8')) + OOM_SCORE);
    writeFileSync(path, String(score));
  } catch {
    // It is a kindness, not a need.
  }
}

// Maps of the server: what a table takes on the disk would stay as long as this process.
closeStrays(JSON.parse(process.argv[2]) as readonly Stray[]);
// It lives as long as the server wants it, also when a module of `--import` has let go of the channel.
process.channel?.ref();
giveWay();
process.title = 'goromdb load';
for (const signal of SIGNALS) process.on(signal, () => {});
process.on('message', (request: LoadRequest) => {
  sentStage = undefined;
  load(request, onProgress).then(
    (result) => send({ kind: 'result', result }),
    (caught: unknown) => {
      const error = explained(caught, 'a file');
      const code = error instanceof GoromdbError ? error.code : 'LOADER_FAILED';
      send({ kind: 'error', code, message: messageOf(error) });
    },
  );
});
send({ kind: 'ready' });
