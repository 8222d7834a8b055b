<?php
// Reads a Redis Cluster with Predis: use-predis.php PORT FILE. Prints a line of JSON.

error_reporting(E_ALL & ~E_DEPRECATED);
require 'Predis/autoload.php';

[, $port, $path] = $argv;
$found = ['right' => 0, 'wrong' => 0, 'absent' => 0];
$client = new Predis\Client(["tcp://127.0.0.1:$port"], ['cluster' => 'redis']);
foreach (file($path, FILE_IGNORE_NEW_LINES) as $line) {
    [$key, $value] = array_map('hex2bin', explode(' ', $line));
    $found[$client->get($key) === $value ? 'right' : 'wrong']++;
}
for ($at = 0; $at < 50; $at++) {
    $found['absent'] += $client->get("none:$at") === null ? 1 : 0;
}
echo json_encode($found), "\n";
