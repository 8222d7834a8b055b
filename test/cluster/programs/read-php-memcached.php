<?php
// Reads the keys of a file with the client of shards.php, and prints how many have themselves as value.
require $argv[1];
$keys = explode("\n", trim(file_get_contents($argv[2])));
$client = connect_shards();
$right = count(array_filter($keys, fn ($key) => $client->get($key) === $key));
$many = $client->getMulti(array_slice($keys, 0, 500));
$same = count(array_filter($many, fn ($value, $key) => (string) $key === $value, ARRAY_FILTER_USE_BOTH));
echo json_encode(['right' => $right, 'many' => $same]), "\n";
