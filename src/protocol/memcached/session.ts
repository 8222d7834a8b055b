import { FOREIGN_KEY, type ForeignKeys } from '../../handler/foreign-keys.ts';
import { ASKER, Asker } from '../../storage/lookup-counts.ts';
import {
  isGet,
  isGetAndTouch,
  LINE_BYTES_MAX,
  LineFinder,
  mayBeLong,
  skipSpaces,
  wordEnd,
  wordsOf,
} from '../line.ts';
import {
  DEFAULT_REQUEST_LIMITS,
  type Session,
  type SessionContext,
  type SessionState,
} from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { loudly, type Refusal, refuseWrite } from '../writes.ts';
import { isHttp, runCommand } from './commands.ts';
import { DataBlock } from './data-block.ts';
import { Dump } from './dump.ts';
import { expectKeys } from './expect-keys.ts';
import { answerRun } from './get-run.ts';
import { MetaReads } from './meta.ts';
import { MetaWords } from './meta-flags.ts';
import { refuseMetaArithmetic, refuseMetaDelete, refuseMetaSet } from './meta-writes.ts';
import { protocolError } from './protocol-error.ts';
import { Retrieval } from './retrieval.ts';

/** The first byte of a request in memcached's binary protocol. */
const BINARY_MAGIC = 0x80;

/** Bytes of a command or an answer that are made of words, and cost a unit of work (see reply.ts). */
const TEXT_BYTES_A_UNIT = 64;

/** The letter that meta commands begin with; another follows. */
const META = 0x6d;

/** One client's conversation in memcached's text protocol. */
export class TextSession implements Session {
  readonly #context: SessionContext;
  readonly #asker: Asker;
  readonly #foreign: ForeignKeys | undefined;
  readonly #line = new LineFinder();
  readonly #retrieval: Retrieval;
  readonly #words: MetaWords;
  readonly #metaReads: MetaReads;
  #hasBegun = false;
  #state: SessionState = 'open';
  /** The data of a refused write, while it arrives. */
  #data: DataBlock | undefined;
  /** A list of keys under way. Between two calls: the input begins with the line's last byte. */
  #dump: Dump | undefined;
  /** Where the input goes on behind the command that was run last. */
  #next = 0;

  constructor(context: SessionContext) {
    this.#context = context;
    this.#asker = context.asker ?? new Asker();
    this.#foreign = context.foreign;
    this.#retrieval = new Retrieval(context);
    this.#words = context.shared.get(MetaWords);
    this.#metaReads = new MetaReads(this.#words);
  }

  get state(): SessionState {
    return this.#state;
  }

  get isSuspended(): boolean {
    return this.#retrieval.isUnderWay || this.#dump !== undefined;
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    if (!this.#hasBegun && start < end) this.#begin(input[start]);
    this.#asker.at = ASKER.text;
    let at = start;
    while (at < end && this.#state === 'open' && !reply.isFull) {
      if (this.#data !== undefined) {
        at = this.#swallow(this.#data, input, at, end, reply);
        continue;
      }
      if (this.#dump !== undefined) {
        if (this.#dumpIsDone(this.#dump, reply)) at++;
        continue;
      }
      const line = this.#line;
      const isWhole = line.find(input, at, end);
      if (this.#endsTooLong(input, at, isWhole ? line.next - 1 : end, reply) || !isWhole) break;
      this.#next = line.next;
      // The other commands that begin so are none.
      const isMeta = input[at] === META && !this.#retrieval.isUnderWay;
      this.#asker.at = isMeta ? ASKER.meta : ASKER.text;
      // What is behind the line may be asked together with it.
      if (line.next < end && !this.#retrieval.isUnderWay) {
        const next = answerRun(this.#metaReads, this.#context, input, at, end, reply);
        if (this.#foreign?.isWanted === true) {
          if (next === at) line.resumeAt(at);
          at = next;
          break;
        }
        if (next > at) {
          at = next;
          continue;
        }
      }
      if (this.#retrieval.isUnderWay) {
        this.#suspendAt(this.#retrieval.goOn(input, at, line.textEnd, reply));
      } else if (this.#foreign === undefined) {
        this.#run(input, at, line.textEnd, reply);
      } else {
        this.#runAnywhere(input, at, line.textEnd, reply);
      }
      at = this.#next;
      if (this.#foreign?.isWanted === true) break;
    }
    if (this.#foreign?.isWanted === true) {
      expectKeys(this.#foreign, input, at, end, this.#retrieval.isUnderWay);
    }
    return at - start;
  }

  close(): void {
    this.#retrieval.close();
    this.#dump?.close();
    this.#dump = undefined;
    this.#state = 'close';
  }

  /** Clients of the binary protocol hang on a connection that is merely closed. */
  #begin(firstByte: number): void {
    this.#hasBegun = true;
    if (firstByte === BINARY_MAGIC) this.#state = 'reset';
  }

  /**
   * Runs the command in the line input[start, end). Keys are charged as they are looked up; all else
   * by the bytes of its line, of which there are LINE_BYTES_MAX at most, and of its answer.
   */
  #run(input: Buffer, start: number, end: number, reply: Reply): void {
    const verb = skipSpaces(input, start, end);
    const verbEnd = wordEnd(input, verb, end);
    const withCas = verbEnd - verb === 4;
    if (isGet(input, verb, verbEnd)) {
      this.#suspendAt(this.#retrieval.get(input, verbEnd, end, withCas, reply));
    } else if (verbEnd - verb === 2 && input[verb] === META) {
      this.#runMeta(input[verb + 1], input, verbEnd, end, reply);
    } else if (isGetAndTouch(input, verb, verbEnd)) {
      this.#suspendAt(this.#retrieval.getAndTouch(input, verbEnd, end, withCas, reply));
    } else {
      this.#runWords(input, verb, verbEnd, end, reply);
    }
  }

  /** As `#run`, where other servers have a part of the keys. */
  #runAnywhere(input: Buffer, start: number, end: number, reply: Reply): void {
    try {
      this.#run(input, start, end, reply);
    } catch (error) {
      if (error !== FOREIGN_KEY) throw error;
      if (FOREIGN_KEY.fault !== undefined) {
        reply.text(`SERVER_ERROR ${FOREIGN_KEY.fault}\r\n`);
        return;
      }
      // All of the line is to be given again.
      this.#next = start;
      this.#line.resumeAt(start);
    }
  }

  /** Has the keys from `stop` on wait until the reply is sent, if there are any. */
  #suspendAt(stop: number): void {
    if (!this.#retrieval.isUnderWay) return;
    this.#next = stop;
    this.#line.resumeAt(stop);
  }

  /** @param letter The command's second letter. @param from The offset behind it. */
  #runMeta(letter: number, line: Buffer, from: number, end: number, reply: Reply): void {
    reply.charge(1 + (end - from) / TEXT_BYTES_A_UNIT);
    switch (letter) {
      case 0x67: // mg
        this.#metaReads.get(line, from, end, this.#context, reply);
        return;
      case 0x6e: // mn
        reply.text('MN\r\n');
        return;
      case 0x65: // me
        this.#metaReads.debug(line, from, end, this.#context, reply);
        return;
      case 0x73: // ms
        this.#refuse(refuseMetaSet(this.#words, line, from, end), reply);
        return;
      case 0x64: // md
        this.#refuse(refuseMetaDelete(this.#words, line, from, end), reply);
        return;
      case 0x61: // ma
        this.#refuse(refuseMetaArithmetic(this.#words, line, from, end), reply);
        return;
      default:
        protocolError(this.#context, reply, 'ERROR');
    }
  }

  #runWords(line: Buffer, verb: number, verbEnd: number, end: number, reply: Reply): void {
    reply.charge(1 + (end - verb) / TEXT_BYTES_A_UNIT);
    const words = wordsOf(line, verb, end);
    const refusal = refuseWrite(words);
    if (refusal !== undefined) {
      this.#refuse(refusal, reply);
      return;
    }
    switch (words[0]) {
      case 'bget':
        // memcached's old name for `get`, which it still knows.
        this.#suspendAt(this.#retrieval.get(line, verbEnd, end, false, reply));
        return;
      case 'quit':
        this.#state = 'close';
        return;
      case 'shutdown':
        this.#shutDown(words, reply);
        return;
      case 'lru_crawler':
        if (this.#beginsDump(words, reply)) return;
    }
    this.#runCommand(words, reply);
  }

  #runCommand(words: readonly string[], reply: Reply): void {
    if (isHttp(words)) {
      this.#state = 'close';
      return;
    }
    const answer = runCommand(words, this.#context);
    if (answer === undefined) return;
    if (answer.isFault === true) this.#context.counters.protocol_errors++;
    reply.charge(answer.text.length / TEXT_BYTES_A_UNIT);
    reply.text(answer.text);
  }

  /** `shutdown [graceful]`: here all ends are graceful, and memcached does not answer either. */
  #shutDown(words: readonly string[], reply: Reply): void {
    const { shutdown } = this.#context;
    if (shutdown === undefined) {
      reply.text('ERROR: shutdown not enabled\r\n');
    } else if (words.length > 2 || (words.length === 2 && words[1] !== 'graceful')) {
      protocolError(this.#context, reply, 'CLIENT_ERROR invalid shutdown mode');
    } else {
      this.#state = 'close';
      shutdown();
    }
  }

  /** @returns Whether the command is a dump. */
  #beginsDump(words: readonly string[], reply: Reply): boolean {
    const kind = words[1];
    if (words.length !== 3 || (kind !== 'metadump' && kind !== 'mgdump')) return false;
    const dump = Dump.begin(kind, words[2], () => this.#context.handler.view(), reply);
    if (typeof dump === 'string') {
      reply.text(dump);
    } else {
      this.#dump = dump;
      this.#next--;
    }
    return true;
  }

  #dumpIsDone(dump: Dump, reply: Reply): boolean {
    const isDone = dump.goOn(reply);
    if (isDone) this.#dump = undefined;
    return isDone;
  }

  #refuse(refusal: Refusal, reply: Reply): void {
    const { counters, loudRefusals, onRefusedWrite } = this.#context;
    const isDone = refusal.probedKey !== undefined && !this.#has(refusal.probedKey);
    if (refusal.counter !== undefined) counters[refusal.counter]++;
    if (refusal.counter === 'cmd_touch') counters.touch_misses++;
    if (refusal.command !== undefined) {
      counters[`refused_${refusal.command}`]++;
      onRefusedWrite?.(refusal.command);
    }
    const done = isDone && refusal.reply !== undefined ? { ...refusal, reply: 'STORED' } : refusal;
    const said = loudRefusals === true && !isDone ? loudly(done) : done;
    if (said.dataBytes !== undefined) this.#data = new DataBlock(said, said.dataBytes);
    else if (said.reply !== undefined) reply.text(`${said.reply}\r\n`);
  }

  #has(key: string): boolean {
    const view = this.#context.handler.view();
    const bytes = Buffer.from(key, 'latin1');
    try {
      return view.get(bytes, 0, bytes.length) !== undefined;
    } catch (error) {
      // The value behind the command is not to be taken for a command.
      if (error !== FOREIGN_KEY || FOREIGN_KEY.fault === undefined) throw error;
      return true;
    } finally {
      view.release();
    }
  }

  /** @returns The offset behind what was swallowed. */
  #swallow(data: DataBlock, input: Buffer, start: number, end: number, reply: Reply): number {
    const next = data.swallow(input, start, end);
    if (!data.isOver) return next;
    this.#data = undefined;
    if (!data.endsWell) this.#context.counters.protocol_errors++;
    if (data.reply !== undefined) reply.text(`${data.reply}\r\n`);
    return next;
  }

  /** Ends the connection, as memcached does it, when the line input[start, end) is too long. */
  #endsTooLong(input: Buffer, start: number, end: number, reply: Reply): boolean {
    const length = end - start;
    if (length <= LINE_BYTES_MAX || this.#retrieval.isUnderWay) return false;
    const { lineBytesMax } = this.#context.requestLimits ?? DEFAULT_REQUEST_LIMITS;
    const isGetLine = mayBeLong(input, start, end);
    if (isGetLine && length <= lineBytesMax) return false;
    if (isGetLine) {
      const error = `CLIENT_ERROR line too long: at most ${lineBytesMax} bytes of keys in one get`;
      protocolError(this.#context, reply, error);
    }
    this.#state = 'close';
    return true;
  }
}
