package Results;

# What the Perl programs share: sums of values, and the list of refused writes.

use strict;
use warnings;
use Digest::MD5 'md5_hex';
use JSON::PP;

our @VALUES = qw(plain empty large unicode binary none);
our @MANY = map { "k$_" } 0 .. 99;
our $LONG = 'x' x 300_000;

sub new {
    my ($class, $client) = @_;
    my %values = map { $_ => sum($client->get($_)) } @VALUES;
    my $hits = $client->get_multi(@MANY);
    my %many = map { $_ => sum($hits->{$_}) } keys %$hits;
    return bless { client => $client, found => { values => \%values, many => \%many, writes => [] } }, $class;
}

sub sum {
    my ($value) = @_;
    return defined $value ? md5_hex($value) : undef;
}

# Tries a write, then reads on the same client.
sub write {
    my ($self, $name, $call) = @_;
    my $answer = eval { $call->() };
    $answer = "died: $@" if $@;
    my $after = sum($self->{client}->get('plain'));
    push @{ $self->{found}{writes} }, { name => $name, answer => $answer, after => $after };
}

sub add {
    my ($self, %extras) = @_;
    @{ $self->{found} }{ keys %extras } = values %extras;
}

sub print {
    my ($self) = @_;
    print JSON::PP->new->encode($self->{found}), "\n";
}

1;
