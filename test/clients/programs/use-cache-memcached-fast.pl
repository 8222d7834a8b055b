use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Cache::Memcached::Fast;
use Results;

my ($port) = @ARGV;
# One reply that this client takes for an error, and the server counts as dead for a minute.
my %options = (max_failures => 1, failure_timeout => 60, io_timeout => 5);
my $server = { address => "127.0.0.1:$port", noreply => 1 };
my $client = Cache::Memcached::Fast->new({ servers => [$server], %options });
my $results = Results->new($client);

my ($cas) = @{ $client->gets('plain') };
my $many = $client->gets_multi('plain', 'none', 'empty');
$results->add(
    gets => [$client->gets('plain')->[1], $cas],
    gets_miss => scalar $client->gets('none'),
    gets_many => [sort keys %$many],
    gat => scalar $client->gat(60, 'plain'),
    gat_many => [sort keys %{ $client->gat_multi(60, 'plain', 'none', 'empty') }],
    version => scalar $client->server_versions->{"127.0.0.1:$port"},
);

for my $verb (qw(set add replace append prepend)) {
    my $multi = "${verb}_multi";
    $results->write($verb, sub { $client->$verb('plain', 'other') });
    $results->write($multi, sub { [$client->$multi(['plain', 'other'], ['new', 'other'])] });
    # In void context nothing is waited for, and the server is told not to answer.
    $results->write("noreply $verb", sub { $client->$verb('plain', 'other'); 1 });
    $results->write("noreply $multi", sub { $client->$multi(['plain', 'other'], ['new', 'other']); 1 });
}
$results->write('long set', sub { $client->set('plain', $Results::LONG) });
$results->write('noreply long set', sub { $client->set('plain', $Results::LONG); 1 });
$results->write('cas', sub { $client->cas('plain', $cas, 'other') });
$results->write('cas_multi', sub { [$client->cas_multi(['plain', $cas, 'other'], ['new', $cas, 'other'])] });
$results->write('noreply cas', sub { $client->cas('plain', $cas, 'other'); 1 });
for my $verb (qw(incr decr delete touch)) {
    my $multi = "${verb}_multi";
    my @pair = map { $verb eq 'touch' ? [$_, 60] : $_ } 'plain', 'new';
    $results->write($verb, sub { $client->$verb('plain') });
    $results->write($multi, sub { [$client->$multi(@pair)] });
    $results->write("noreply $verb", sub { $client->$verb('plain'); 1 });
    $results->write("noreply $multi", sub { $client->$multi(@pair); 1 });
}
$results->write('noreply flush_all', sub { $client->flush_all; 1 });
$client->nowait_push;
# Last, and without the one-failure rule: this client gives up the connection after an error line.
my $lenient = Cache::Memcached::Fast->new({ servers => ["127.0.0.1:$port"], io_timeout => 5 });
my $flushed = Results->new($lenient);
$flushed->write('flush_all', sub { $lenient->flush_all->{"127.0.0.1:$port"} });
push @{ $results->{found}{writes} }, @{ $flushed->{found}{writes} };
$client->disconnect_all;
$lenient->disconnect_all;
$results->print;
