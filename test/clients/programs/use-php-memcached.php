<?php
declare(strict_types=1);

[, $port, $protocol] = $argv;
const VALUES = ['plain', 'empty', 'large', 'unicode', 'binary', 'none'];
$manyKeys = array_map(fn(int $at): string => "k$at", range(0, 99));
$long = str_repeat('x', 300_000);

function connect(string $port, string $protocol): Memcached
{
    $client = new Memcached();
    $client->setOption(Memcached::OPT_BINARY_PROTOCOL, $protocol === 'binary');
    // Appending is not allowed otherwise.
    $client->setOption(Memcached::OPT_COMPRESSION, false);
    $client->setOption(Memcached::OPT_RECV_TIMEOUT, 5_000_000);
    $client->addServer('127.0.0.1', (int) $port);
    return $client;
}

function sum(mixed $value): ?string
{
    return is_string($value) ? md5($value) : null;
}

/** Tries a write, then reads on the same client. */
function write(Memcached $client, string $name, callable $call): array
{
    $result = $call();
    $answer = [$result, $client->getResultMessage()];
    return ['name' => $name, 'answer' => $answer, 'after' => sum($client->get('plain'))];
}

function connectionsMade(Memcached $client): int
{
    return current($client->getStats())['total_connections'];
}

$client = connect($port, $protocol);
$values = array_map(fn(string $key): ?string => sum($client->get($key)), VALUES);
$many = array_map(sum(...), $client->getMulti($manyKeys));
$withCas = $client->get('plain', null, Memcached::GET_EXTENDED);
$client->getDelayed(['plain', 'none', 'empty'], true);
$delayed = array_column($client->fetchAll(), 'key');
sort($delayed);
$before = connectionsMade($client);

$writes = [];
foreach (['set', 'add', 'replace', 'append', 'prepend'] as $verb) {
    $writes[] = write($client, $verb, fn() => $client->$verb('plain', 'other'));
}
$pairs = ['plain' => 'other', 'new' => 'other'];
$cas = $withCas['cas'];
array_push(
    $writes,
    write($client, 'long set', fn() => $client->set('plain', $long)),
    write($client, 'setMulti', fn() => $client->setMulti($pairs)),
    write($client, 'cas', fn() => $client->cas($cas, 'plain', 'other')),
    write($client, 'increment', fn() => $client->increment('plain')),
    write($client, 'decrement', fn() => $client->decrement('plain')),
    write($client, 'delete', fn() => $client->delete('plain')),
    write($client, 'deleteMulti', fn() => array_values($client->deleteMulti(['plain', 'new']))),
    write($client, 'touch', fn() => $client->touch('plain', 60)),
    write($client, 'flush', fn() => $client->flush()),
);
$reconnects = connectionsMade($client) - $before;

// Another client, since a change of options makes a new connection.
$quiet = connect($port, $protocol);
$quiet->setOption(Memcached::OPT_NOREPLY, true);
foreach (['set', 'add', 'replace', 'append', 'prepend'] as $verb) {
    $writes[] = write($quiet, "noreply $verb", fn() => $quiet->$verb('plain', 'other'));
}
$writes[] = write($quiet, 'noreply long set', fn() => $quiet->set('plain', $long));
$writes[] = write($quiet, 'noreply delete', fn() => $quiet->delete('plain'));
$writes[] = write($quiet, 'noreply setMulti', fn() => $quiet->setMulti($pairs));
$writes[] = write($quiet, 'noreply flush', fn() => $quiet->flush());

echo json_encode([
    'values' => array_combine(VALUES, $values),
    'many' => $many,
    'writes' => $writes,
    'gets' => [$withCas['value'], $withCas['cas']],
    'delayed' => $delayed,
    'version' => current($client->getVersion()),
    'items' => current($client->getStats())['curr_items'],
    'reconnects' => $reconnects,
]), "\n";
$client->quit();
$quiet->quit();
