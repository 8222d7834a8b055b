use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Cache::Memcached;
use Results;

my ($port) = @ARGV;
my $client = Cache::Memcached->new({ servers => ["127.0.0.1:$port"], select_timeout => 2 });
my $results = Results->new($client);

# In total, since the client gives only some of the statistics that way.
sub statistic {
    my ($name) = @_;
    return $client->stats('misc')->{total}{$name} + 0;
}

my $before = statistic('total_connections');
for my $verb (qw(set add replace append prepend)) {
    $results->write($verb, sub { $client->$verb('plain', 'other') });
}
$results->write('long set', sub { $client->set('plain', $Results::LONG) });
for my $verb (qw(incr decr delete)) {
    $results->write($verb, sub { $client->$verb('plain') });
}
my $version = $client->stats('misc')->{hosts}{"127.0.0.1:$port"}{misc}{version};
$results->add(
    reconnects => statistic('total_connections') - $before,
    items => statistic('curr_items'),
    version => $version,
    other_stats => [sort keys %{ $client->stats }],
);
# Last: the client waits for OK, END or ERROR at the end of a line, and gives up the connection.
$results->write('flush_all', sub { $client->flush_all });
$client->disconnect_all;
$results->print;
