import type { Random } from '../support/random-bytes.ts';
import { BROKEN_COMMANDS } from './broken-commands.ts';
import { BOTH_FORMS_PREFIX, type ReferenceRecord } from './data-set.ts';

/** One command with its data: it is answered once, or not at all. */
export type Exchange = string;

/** Numbers as they come in commands, good and bad; none makes a record expire. */
const TIMES = ['0', '0', '0', '+0', '-0', '00', '0\t', '\t0', '0\tx'];
const ANY_TIMES = [...TIMES, '1', '-1', '30', '2147483647', '2147483648', '9223372036854775807'];
const BAD_NUMBERS = ['x', '0x', '1.5', '0,', '', '-', '+', '99999999999999999999', 'noreply'];

const LINE_ENDS = ['\r\n', '\r\n', '\r\n', '\n', ' \r\n', '  \n'];

const FLAGS = 'vtsfckqbhlu';
const TOKENS = ['O1', 'Oopaque', 'O', 'Pxyz', 'Lxyz', 'I', 'N0', 'N30', 'R30', 'R0', 'C5', 'F7'];
const OTHER_TOKENS = ['MS', 'D5', 'J7', 'T0', 'kx', 'vtail', 'bx', `O${'1'.repeat(31)}`];
const BAD_TOKENS = ['z', 'E5', 'S3', 'x', '1', '\x7f', '\xe9', '\x01', 'Tx', 'N', 'R1x', 'Cx'];
const WORSE_TOKENS = ['C-1', 'F', 'Fx', 'M', 'Mset', 'J', 'Dx', `O${'1'.repeat(32)}`, 'T', '-'];

/** Only `get` and `gets` may be longer than 2048 bytes when they arrive in pieces. */
const SHORT_LINE_BYTES = 1900;

/** Makes reading sessions, the same for the same seed. */
export class Generator {
  readonly #random: Random;
  readonly #small: readonly ReferenceRecord[];
  readonly #large: readonly ReferenceRecord[];
  readonly #binary: readonly ReferenceRecord[];
  #serial = 0;

  constructor(random: Random, records: readonly ReferenceRecord[]) {
    this.#random = random;
    this.#small = records.filter(({ value, isBinary }) => value.length < 2000 && !isBinary);
    this.#large = records.filter(({ value }) => value.length >= 2000);
    this.#binary = records.filter(({ isBinary }) => isBinary);
  }

  /** Commands of all kinds, none of which ends the connection. */
  session(length: number): readonly Exchange[] {
    const exchanges = Array.from({ length }, () => this.#exchange());
    if (this.#random.below(4) === 0) exchanges[0] = this.#tooLong();
    return exchanges;
  }

  /**
   * A retrieval with a key that is too long. It is only ever the first command: with it, memcached
   * also drops the reply to the command before it, when that is not yet sent.
   */
  #tooLong(): Exchange {
    const verb = this.#pick(['get', 'gets', 'gat 0', 'gats 0']);
    const [before, after] = [this.#keys(500), this.#keys(500)];
    return `${verb}${this.#pick(['', before])} ${'x'.repeat(251)}${after}${this.#lineEnd()}`;
  }

  #exchange(): Exchange {
    switch (this.#random.below(16)) {
      case 0:
      case 1:
      case 2:
        return this.#get();
      case 3:
      case 4:
        return this.#touch();
      case 5:
      case 6:
      case 7:
      case 8:
      case 9:
        return this.#metaGet();
      case 10:
        return this.#metaDebug();
      case 11:
        return this.#write();
      case 12:
        return this.#metaWrite();
      case 13:
        return this.#simple();
      default:
        return this.#pick(BROKEN_COMMANDS) + this.#lineEnd();
    }
  }

  #get(): Exchange {
    const verb = this.#pick(['get', 'get', 'gets', 'bget']);
    const keys = this.#keys(verb === 'bget' ? SHORT_LINE_BYTES : Number.POSITIVE_INFINITY);
    return `${this.#spaces(0)}${verb}${keys}${this.#lineEnd()}`;
  }

  #touch(): Exchange {
    const verb = this.#pick(['gat', 'gats']);
    if (this.#random.below(5) === 0) {
      const time = this.#pick([...BAD_NUMBERS, ...ANY_TIMES]);
      return `${verb} ${time} never${this.#lineEnd()}`;
    }
    const keys = this.#random.below(10) === 0 ? '' : this.#keys(SHORT_LINE_BYTES);
    return `${verb}${this.#spaces(1)}${this.#pick(TIMES)}${keys}${this.#lineEnd()}`;
  }

  #metaGet(): Exchange {
    const isEncoded = this.#random.below(4) === 0;
    const flags = Array.from({ length: this.#random.below(6) }, () => this.#flag());
    const unique = this.#random.below(4) === 0 ? flags : flags.filter(isFirstOfItsLetter);
    const plain = unique.filter((flag) => isEncoded || flag[0] !== 'b');
    if (isEncoded && !plain.some((flag) => flag[0] === 'b')) {
      plain.splice(this.#random.below(plain.length + 1), 0, 'b');
    }
    // memcached makes the item that N does not find.
    const makesItem = plain.some((flag) => flag.startsWith('N'));
    const key = isEncoded ? this.#encodedKey(makesItem) : this.#anyKey(makesItem);
    const words = plain.map((flag) => this.#spaces(1) + flag).join('');
    return `mg${this.#spaces(1)}${key}${words}${this.#lineEnd()}`;
  }

  #flag(): string {
    const kind = this.#random.below(40);
    if (kind === 0) return this.#pick(BAD_TOKENS);
    if (kind === 1) return this.#pick(WORSE_TOKENS);
    if (kind < 8) return this.#pick(TOKENS);
    if (kind < 12) return this.#pick(OTHER_TOKENS);
    return FLAGS[this.#random.below(FLAGS.length)];
  }

  #metaDebug(): Exchange {
    const [key, flag] =
      this.#random.below(3) === 0 ? [this.#encodedKey(), ' b'] : [this.#anyKey(false), ''];
    const rest = this.#pick(['', '', ' x', ' b x', ' bb']);
    // A plain key with a b behind it is decoded, and mostly found to be none.
    return `me${this.#spaces(1)}${key}${flag}${flag === '' ? rest : ''}${this.#lineEnd()}`;
  }

  #write(): Exchange {
    const noreply = this.#pick(['', '', ' noreply']);
    if (this.#random.below(3) === 0) {
      const line = this.#pick([
        'incr never 1',
        'decr never +5',
        'delete never',
        'delete never 0',
        'touch never 0',
        'touch never 99999',
      ]);
      return `${line}${noreply}${this.#lineEnd()}`;
    }
    const verb = this.#pick(['set', 'add', 'replace', 'append', 'prepend', 'cas']);
    const data = this.#data();
    const cas = verb === 'cas' ? ' 99' : '';
    const end = this.#random.below(12) === 0 ? 'xy' : '\r\n';
    const key = `w${this.#random.below(10)}`;
    return `${verb} ${key} 0 0 ${data.length}${cas}${noreply}\r\n${data}${end}`;
  }

  #metaWrite(): Exchange {
    this.#serial++;
    const opaque = `w${this.#serial}`;
    switch (this.#random.below(6)) {
      case 0:
        return `md never${this.#pick(['', ' k', ' q k', ' T0', ' C5'])} O${opaque}\r\n`;
      case 1:
        return `ma never${this.#pick(['', ' k', ' q', ' MI', ' MD D5', ' J5 c t v'])} O${opaque}\r\n`;
      case 2:
        return `${this.#pick(['md', 'ma'])} never ${this.#pick([...BAD_TOKENS, 'q q', 'b b'])}\r\n`;
      case 3: {
        const data = this.#data();
        const flags = this.#pick(['T0 z', 'MX', 'Tx', 'v v', `O${'1'.repeat(32)}`, 'Fx']);
        return `ms w ${data.length} ${flags}\r\n${data}\r\n`;
      }
      case 4: {
        const data = this.#data();
        return `ms w1 ${data.length} q Owq${this.#serial} k\r\n${data}\r\n`;
      }
      default: {
        const data = this.#data();
        const mode = this.#pick(['', ' MS', ' ME', ' MA', ' MP', ' MR']);
        const key = this.#pick(['w1 ', 'dzE= ']);
        const base64 = key === 'dzE= ' ? ' b' : '';
        return `ms ${key}${data.length}${mode}${base64} O${opaque} k\r\n${data}\r\n`;
      }
    }
  }

  #simple(): Exchange {
    const command = this.#pick([
      'mn',
      'mn x',
      'version',
      'version x y',
      'verbosity 0',
      'verbosity 1 x',
      'verbosity 1 noreply',
      'stats sizes',
      `${'version'}${' '.repeat(1000)}`,
    ]);
    return `${this.#spaces(0)}${command}${this.#lineEnd()}`;
  }

  #keys(bytesMax: number): string {
    const counts = [1, 1, 1, 1, 2, 3, 10, 24, 60, 300];
    const count = counts[this.#random.below(counts.length)];
    let keys = '';
    for (let i = 0; i < count; i++) keys += this.#spaces(1) + this.#key();
    return keys.slice(0, bytesMax);
  }

  /** Also one that is too long. */
  #anyKey(exists: boolean): string {
    if (exists) return this.#textOf(this.#small);
    return this.#random.below(50) === 0 ? 'x'.repeat(251) : this.#key();
  }

  #key(): string {
    const kind = this.#random.below(100);
    if (kind < 2) return this.#textOf(this.#large);
    if (kind < 30)
      return this.#pick(['never', 'nope', 'x'.repeat(250), `never${kind}`, '\xff\x01']);
    return this.#textOf(this.#small);
  }

  /** A key in base64, sometimes in a form that is odd or cannot be decoded. */
  #encodedKey(exists = false): string {
    const kind = exists ? 19 : this.#random.below(20);
    if (kind < 3)
      return this.#pick(['Zm9', '====', '=AAA', 'Zm==', 'Zm9=', 'Zm9vZg==Zm9v', 'ne!ver', '!']);
    if (kind < 8) return Buffer.from(`never${kind}`).toString('base64');
    if (kind < 14) return this.#pick(this.#binary).key.toString('base64');
    const both = this.#small.filter(({ key }) => key.toString().startsWith(BOTH_FORMS_PREFIX));
    return this.#pick(both).key.toString('base64');
  }

  #textOf(records: readonly ReferenceRecord[]): string {
    const { key, isBinary } = this.#pick(records);
    return isBinary ? 'never' : key.toString('latin1');
  }

  #data(): string {
    const data = ['', 'a', 'version\r\n', 'x'.repeat(this.#random.below(300)), '\r\nEND\r\n'];
    return this.#pick(data);
  }

  #spaces(least: number): string {
    const extra = this.#random.below(12) === 0 ? 1 + this.#random.below(3) : 0;
    return ' '.repeat(least + extra);
  }

  #lineEnd(): string {
    return this.#pick(LINE_ENDS);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)];
  }
}

function isFirstOfItsLetter(flag: string, at: number, flags: readonly string[]): boolean {
  return flags.findIndex((other) => other[0] === flag[0]) === at;
}
