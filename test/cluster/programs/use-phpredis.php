<?php
// Reads a Redis Cluster with phpredis: use-phpredis.php PORT FILE. Prints a line of JSON.

[, $port, $path] = $argv;
$found = ['right' => 0, 'wrong' => 0, 'absent' => 0, 'many' => []];
$client = new RedisCluster(null, ["127.0.0.1:$port"], 2, 2);
$client->setOption(RedisCluster::OPT_SLAVE_FAILOVER, RedisCluster::FAILOVER_ERROR);
$first = [];
foreach (file($path, FILE_IGNORE_NEW_LINES) as $line) {
    [$key, $value] = array_map('hex2bin', explode(' ', $line));
    $found[$client->get($key) === $value ? 'right' : 'wrong']++;
    if (count($first) < 50) {
        $first[] = $key;
    }
}
for ($at = 0; $at < 50; $at++) {
    $found['absent'] += $client->get("none:$at") === false ? 1 : 0;
}
$found['many'] = array_map('bin2hex', $client->mget($first));
$found['masters'] = count($client->_masters());
echo json_encode($found), "\n";
