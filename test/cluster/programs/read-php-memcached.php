<?php
// Reads the keys of a file with the client of shards.php, and prints how many have themselves as value:
// read-php-memcached.php SHARDS FILE [STOP]. With STOP, it reads until there is a file of that name.
require $argv[1];
$keys = explode("\n", trim(file_get_contents($argv[2])));
$client = connect_shards();
if (isset($argv[3])) {
    $found = ['right' => 0, 'wrong' => 0, 'errors' => 0, 'slowestMs' => 0, 'said' => []];
    $ask = function (callable $read) use (&$found): void {
        $start = hrtime(true);
        try {
            $found[$read() ? 'right' : 'wrong']++;
        } catch (Throwable $error) {
            $found['errors']++;
            $found['said'][] = $error->getMessage();
        }
        $found['slowestMs'] = max($found['slowestMs'], (hrtime(true) - $start) / 1e6);
    };
    echo "ready\n";
    while (!file_exists($argv[3])) {
        foreach (array_chunk($keys, 100) as $some) {
            foreach (array_slice($some, 0, 3) as $key) {
                $ask(fn () => $client->get($key) === $key);
            }
            $ask(fn () => count($client->getMulti($some)) === count($some));
        }
    }
    echo json_encode($found), "\n";
    exit;
}
$right = count(array_filter($keys, fn ($key) => $client->get($key) === $key));
$many = $client->getMulti(array_slice($keys, 0, 500));
$same = count(array_filter($many, fn ($value, $key) => (string) $key === $value, ARRAY_FILTER_USE_BOTH));
echo json_encode(['right' => $right, 'many' => $same]), "\n";
