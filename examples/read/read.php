<?php
// Reads by php-memcached: php read.php PORT KEY...
$client = new Memcached();
$client->addServer('127.0.0.1', (int) $argv[1]);
foreach ($client->getMulti(array_slice($argv, 2)) as $key => $value) {
    echo "$key: $value\n";
}
