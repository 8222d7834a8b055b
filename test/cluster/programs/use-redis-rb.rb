# Reads a Redis Cluster with redis-rb: use-redis-rb.rb PORT FILE. Prints a line of JSON.

require 'json'
require 'redis'

port, path = ARGV
found = { right: 0, wrong: 0, absent: 0 }
# Replicas are read too.
client = Redis.new(cluster: ["redis://127.0.0.1:#{port}"], replica: true, timeout: 2)
File.readlines(path, chomp: true).each do |line|
  key, value = line.split(' ', -1).map { |word| [word].pack('H*') }
  found[client.get(key)&.b == value ? :right : :wrong] += 1
end
50.times { |at| found[:absent] += 1 if client.get("none:#{at}").nil? }
puts JSON.generate(found)
