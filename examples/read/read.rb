# Reads by dalli: ruby read.rb PORT KEY...
require 'dalli'

# raw: the values are text, not marshalled objects.
client = Dalli::Client.new("127.0.0.1:#{ARGV[0]}", raw: true, socket_timeout: 5)
client.get_multi(*ARGV.drop(1)).each { |key, value| puts "#{key}: #{value}" }
