require 'dalli'
require 'digest'
require 'json'

VALUES = %w[plain empty large unicode binary none].freeze
MANY = (0..99).map { |at| "k#{at}" }.freeze
LONG = 'x' * 300_000

# Raw: the values are those of any program, and not Ruby's. No retries: one bad answer shows.
# The meta protocol when it is told so, which Debian 12's version does not know.
options = { raw: true, socket_max_failures: 0, socket_timeout: 5, down_retry_delay: 60 }
meta = ARGV[1] == 'meta'
options[:protocol] = :meta if meta
connect = -> { Dalli::Client.new("127.0.0.1:#{ARGV[0]}", options) }
client = connect.call

# In the meta protocol 3.2.8 leaves the last line of a pipelined get unread when it comes in a packet of
# its own, and takes it for the next answer: with memcached 1.6.18 in 17 of 300 tries (2026-11-28).
pipelined = lambda do |&read|
  one = meta ? connect.call : client
  read.call(one)
ensure
  one.close if meta
end

def sum(value)
  value && Digest::MD5.hexdigest(value)
end

def attempt
  yield
rescue StandardError => e
  "#{e.class}: #{e.message}"
end

# Tries a write, then reads on the same client.
writes = []
write = lambda do |name, &call|
  answer = attempt(&call)
  writes << { name: name, answer: answer, after: attempt { sum(client.get('plain')) } }
end

# In the meta protocol 3.2.8 reads a single value up to a line end, with memcached too.
read = lambda do |key|
  meta && key == 'binary' ? pipelined.call { |one| one.get_multi(key) }[key] : client.get(key)
end

found = {
  values: VALUES.to_h { |key| [key, sum(read.call(key))] },
  many: pipelined.call { |one| one.get_multi(*MANY) }.transform_values { |value| sum(value) },
  gets: client.get_cas('plain').first,
  gets_miss: client.get_cas('none').first,
  gets_many: pipelined.call { |one| one.get_multi_cas('plain', 'none', 'empty') }.keys.sort,
  gat: client.gat('plain', 60),
  version: client.version.values.first
}
before = client.stats.values.first
cas = client.get_cas('plain').last

%i[set add replace append prepend].each do |verb|
  write.call(verb) { client.send(verb, 'plain', 'other') }
end
write.call('long set') { client.set('plain', LONG) }
write.call('set with cas') { client.set_cas('plain', 'other', cas) }
write.call('replace with cas') { client.replace_cas('plain', 'other', cas) }
write.call('cas') { client.cas('plain') { 'other' } }
write.call('delete') { client.delete('plain') }
write.call('delete with cas') { client.delete_cas('plain', cas) }
write.call('incr') { client.incr('plain') }
write.call('decr') { client.decr('plain') }
write.call('touch') { client.touch('plain', 60) }
# What is called in this block is sent with the commands that are answered only when they fail.
%i[set add replace append prepend].each do |verb|
  write.call("quiet #{verb}") { client.multi { client.send(verb, 'plain', 'other') } }
end
write.call('quiet delete') { client.multi { client.delete('plain') } }
write.call('quiet incr') { client.multi { client.incr('plain') } }
write.call('flush') { client.flush }

found[:dalli] = Dalli::VERSION
after = client.stats.values.first
found[:writes] = writes
found[:items] = after['curr_items']
found[:reconnects] = after['total_connections'].to_i - before['total_connections'].to_i
$stdout.sync = true
puts 'swap'
$stdin.gets
found[:swapped] = client.get('plain')
client.close
puts JSON.generate(found)
