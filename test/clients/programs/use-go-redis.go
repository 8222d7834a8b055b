// Reads and tries to write with go-redis, on the port that it is told.
package main

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"gopkg.in/redis.v5"
)

type write struct {
	Name   string  `json:"name"`
	Answer string  `json:"answer"`
	After  *string `json:"after"`
}

func sum(value []byte) string {
	hash := md5.Sum(value)
	return hex.EncodeToString(hash[:])
}

func get(client *redis.Client, key string) *string {
	value, err := client.Get(key).Bytes()
	if err == redis.Nil {
		return nil
	}
	answer := sum(value)
	if err != nil {
		answer = err.Error()
	}
	return &answer
}

func main() {
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + os.Args[1], ReadTimeout: 5 * time.Second, PoolSize: 1,
	})

	values := map[string]*string{}
	for _, key := range []string{"plain", "empty", "large", "unicode", "binary", "none"} {
		values[key] = get(client, key)
	}
	keys := []string{}
	for at := 0; at < 100; at++ {
		keys = append(keys, fmt.Sprintf("k%d", at))
	}
	found, err := client.MGet(keys...).Result()
	if err != nil {
		panic(err)
	}
	many := map[string]string{}
	for at, value := range found {
		if value != nil {
			many[keys[at]] = sum([]byte(value.(string)))
		}
	}

	writes := []write{}
	try := func(name string, call func() error) {
		answer := "done"
		if err := call(); err != nil {
			answer = err.Error()
		}
		writes = append(writes, write{name, answer, get(client, "plain")})
	}
	try("set", func() error { return client.Set("plain", "other", 0).Err() })
	try("long set", func() error {
		return client.Set("plain", strings.Repeat("x", 300000), 0).Err()
	})
	try("incr", func() error { return client.Incr("plain").Err() })
	try("delete", func() error { return client.Del("plain").Err() })

	scanned := 0
	scan := client.Scan(0, "k*", 10).Iterator()
	for scan.Next() {
		scanned++
	}
	pipeline := client.Pipeline()
	first, second := pipeline.Get("k1"), pipeline.StrLen("large")
	pipeline.Exec()

	fmt.Println("swap")
	bufio.NewReader(os.Stdin).ReadString('\n')
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"values": values, "many": many, "writes": writes,
		"scanned": scanned, "pipeline": []any{first.Val(), second.Val()},
		"items": client.DbSize().Val(), "swapped": client.Get("plain").Val(),
	})
}
