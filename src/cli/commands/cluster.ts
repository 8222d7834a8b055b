import process from 'node:process';
import { type Address, parseAddress } from '../../common/address.ts';
import type { Topology } from '../../shards/shards.ts';
import { readShards } from '../../shards/shards-file.ts';
import { gomemcacheSnippet } from '../cluster/gomemcache.ts';
import { haproxyFile } from '../cluster/haproxy.ts';
import { phpMemcachedSnippet, pylibmcSnippet } from '../cluster/libmemcached.ts';
import { nutcrackerFile } from '../cluster/nutcracker.ts';
import { pymemcacheSnippet } from '../cluster/pymemcache.ts';
import { checkRequired, misuse, optionGroup } from '../options/option.ts';
import { BOOLEAN, FILE } from '../options/values.ts';
import { defineCommand } from './command.ts';

const OPTIONS = optionGroup('Flags', {
  shards: {
    ...FILE,
    help: 'shards.toml, which says what servers have which keys',
    required: 'the file that says what servers have which keys',
  },
  listen: {
    placeholder: 'ADDRESS',
    help: 'nutcracker, haproxy: where it is to listen',
    parse: parseAddress,
    fallback: '127.0.0.1:22121',
  },
  redis: { ...BOOLEAN, help: "nutcracker: its clients speak Redis' protocol, not memcached's" },
});

interface More {
  readonly listen: Address;
  readonly isRedis: boolean;
}

/** What is printed, by the word that asks for it. */
const TEXTS: Readonly<Record<string, (topology: Topology, more: More) => string>> = {
  nutcracker: (topology, more) => nutcrackerFile({ topology, ...more }),
  haproxy: (topology, { listen }) => haproxyFile(topology, listen),
  pymemcache: pymemcacheSnippet,
  pylibmc: pylibmcSnippet,
  'php-memcached': phpMemcachedSnippet,
  gomemcache: gomemcacheSnippet,
};

const WORDS = Object.keys(TEXTS);

export const cluster = defineCommand({
  name: 'cluster',
  summary: 'Prints files for clients and proxies of a data set over many nodes.',
  usage: 'goromdb cluster WHAT -shards FILE [flags]',
  notes: `
Examples:
  goromdb cluster nutcracker -shards shards.toml > nutcracker.yml
  goromdb cluster pymemcache -shards shards.toml > shards.py

WHAT is nutcracker or haproxy, which print the file of that proxy; or pymemcache,
pylibmc, php-memcached or gomemcache, which print a file in the language of that
client. Print it again when the file of shards changes.

Exit codes: 0 it is printed, 2 wrong flags, or a client cannot do it.`,
  options: OPTIONS,
  takesArguments: WORDS,
  read({ values, args }) {
    const [what] = args;
    const text = args.length === 1 && Object.hasOwn(TEXTS, what) ? TEXTS[what] : undefined;
    if (text === undefined) {
      const found = args.length === 0 ? 'nothing' : JSON.stringify(args.join(' '));
      throw misuse(`expected one of ${WORDS.join(', ')}, found ${found}`);
    }
    checkRequired(OPTIONS, values);
    const { shards, listen, redis: isRedis } = values;
    return text(readShards(shards), { listen, isRedis });
  },
  async run(text) {
    process.stdout.write(text);
    return 0;
  },
});
