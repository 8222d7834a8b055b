import { expect, test } from 'vitest';
import { firstReads } from '../../src/cli/local/first-reads.ts';
import { parseAddress } from '../../src/common/address.ts';

const key = 'user:7';
const tls = { certFile: "/it's.pem", keyFile: '/k.pem' };

/** The programs, and where each of them looks. */
function targets(address: string): readonly string[] {
  const found = firstReads({ address: parseAddress(address) }, key);
  const [, nc, redis, python] = /nc (.*)\nredis-cli (.*) get user:7\n.*Client\((.*?)\)/.exec(
    found.join('\n'),
  )!;
  return [nc, redis, python];
}

test('the commands go where the server listens', () => {
  expect(targets('127.0.0.1:7')).toEqual(['127.0.0.1 7', '-p 7', '"127.0.0.1:7"']);
  expect(targets(':7')).toEqual(['localhost 7', '-p 7', '"localhost:7"']);
  expect(targets('[::1]:7')).toEqual(['::1 7', '-h ::1 -p 7', '"[::1]:7"']);
  expect(targets('/run/g.sock')).toEqual(['-U /run/g.sock', '-s /run/g.sock', '"/run/g.sock"']);
});

test('only commands whose clients are let in and understood are shown', () => {
  const address = parseAddress('127.0.0.1:7');
  const programs = (server: object): readonly string[] =>
    firstReads({ address, ...server }, key).map(
      (command) => /nc|redis-cli|python3/.exec(command)![0],
    );
  expect(programs({ protocol: 'text' })).toEqual(['nc', 'python3']);
  expect(programs({ protocol: 'redis' })).toEqual(['redis-cli']);
  expect(programs({ protocol: 'binary' })).toEqual([]);
  expect(firstReads({ address, access: { tls } }, key)).toEqual([
    `redis-cli -p 7 --tls --cacert '/it'\\''s.pem' get user:7`,
  ]);
  expect(firstReads({ address, access: { userFile: '/users' } }, key)).toEqual([
    'redis-cli -p 7 --user NAME --askpass get user:7',
  ]);
});
