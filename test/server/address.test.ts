import { describe, expect, it } from 'vitest';
import { type Address, formatAddress, parseAddress } from '../../src/common/address.ts';
import { GoromdbError } from '../../src/common/errors.ts';

const tcp = (host: string | undefined, port: number): Address => ({ kind: 'tcp', host, port });
const unix = (path: string): Address => ({ kind: 'unix', path });

const LONGEST_PATH = `/${'s'.repeat(106)}`;

describe('an address', () => {
  it.each<[string, Address]>([
    [':11211', tcp(undefined, 11211)],
    [':0', tcp(undefined, 0)],
    [':65535', tcp(undefined, 65535)],
    ['127.0.0.1:11211', tcp('127.0.0.1', 11211)],
    ['0.0.0.0:11211', tcp('0.0.0.0', 11211)],
    ['[::1]:11211', tcp('::1', 11211)],
    ['[::]:0', tcp('::', 0)],
    ['[fe80::1%eth0]:11211', tcp('fe80::1%eth0', 11211)],
    ['[::ffff:127.0.0.1]:1', tcp('::ffff:127.0.0.1', 1)],
    ['localhost:11211', tcp('localhost', 11211)],
    ['cache-1.my_net.example.:11211', tcp('cache-1.my_net.example.', 11211)],
    ['1and1.example:80', tcp('1and1.example', 80)],
    ['unix:/run/goromdb.sock', unix('/run/goromdb.sock')],
    ['unix:goromdb.sock', unix('goromdb.sock')],
    ['unix:a:1', unix('a:1')],
    ['unix:./unix:/x', unix('./unix:/x')],
    [`unix:${LONGEST_PATH}`, unix(LONGEST_PATH)],
  ])('%s is read, and written the same way', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
  });

  it.each(['/run/goromdb.sock', './goromdb.sock', 'run/a:1'])(
    '%s is a UNIX socket because of its slash',
    (text) => {
      expect(parseAddress(text)).toEqual(unix(text));
      expect(parseAddress(formatAddress(unix(text)))).toEqual(unix(text));
    },
  );

  it.each([
    ['', 'it is empty'],
    ['11211', 'the port is missing'],
    ['localhost', 'the port is missing'],
    ['localhost:', 'the port is missing'],
    [':', 'the port is missing'],
    ['[::1]', 'the port is missing'],
    ['[::1]:', 'the port is missing'],
    [':65536', 'port "65536" is not a number from 0 to 65535'],
    [':99999999999999999999', 'port "99999999999999999999" is not a number from 0 to 65535'],
    [':-1', 'port "-1" is not a number from 0 to 65535'],
    [':1.5', 'port "1.5" is not a number from 0 to 65535'],
    [':http', 'port "http" is not a number from 0 to 65535'],
    [': 80', 'port " 80" is not a number from 0 to 65535'],
    ['::1', 'an IPv6 address needs brackets and a port'],
    ['::', 'an IPv6 address needs brackets and a port'],
    ['1:2:3:4:5:6:7:8:11211', 'an IPv6 address needs brackets'],
    ['[::1:11211', 'an IPv6 address needs brackets'],
    ['[]:11211', '"" is not an IPv6 address'],
    ['[localhost]:11211', '"localhost" is not an IPv6 address'],
    ['[127.0.0.1]:11211', '"127.0.0.1" is not an IPv6 address'],
    ['256.0.0.1:11211', '"256.0.0.1" is not a host'],
    ['127.1:11211', '"127.1" is not a host'],
    ['*:11211', '"*" is not a host'],
    ['my host:11211', '"my host" is not a host'],
    ['-host:11211', '"-host" is not a host'],
    ['a..b:11211', '"a..b" is not a host'],
    [`${'a'.repeat(254)}:1`, `"${'a'.repeat(254)}" is not a host`],
    ['unix:', 'the path is missing'],
    ['/run/', 'the path is that of a folder'],
    ['unix:a\0b', 'the path contains a zero byte'],
    [`${LONGEST_PATH}s`, 'the path of the socket has 108 bytes, 107 bytes are allowed'],
    [`/${'é'.repeat(54)}`, 'the path of the socket has 109 bytes, 107 bytes are allowed'],
  ])('%j is refused with what is wrong and what is allowed', (text, reason) => {
    const forms =
      '":11211", "127.0.0.1:11211", "[::1]:11211", "localhost:11211" or a UNIX socket path';
    expect(() => parseAddress(text)).toThrow(
      new GoromdbError(
        'ADDRESS_INVALID',
        `${JSON.stringify(text)} is not allowed: ${reason}; expected ${forms}`,
      ),
    );
  });

  it('that is refused has a code for programs', () => {
    expect(() => parseAddress('')).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }));
  });
});
