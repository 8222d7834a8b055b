// Reads and tries to write with gomemcache, on the port that it is told.
package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

type write struct {
	Name   string  `json:"name"`
	Answer *string `json:"answer"`
	After  *string `json:"after"`
}

func sum(value []byte) string {
	hash := md5.Sum(value)
	return hex.EncodeToString(hash[:])
}

func get(client *memcache.Client, key string) *string {
	item, err := client.Get(key)
	if err == memcache.ErrCacheMiss {
		return nil
	}
	answer := ""
	if err != nil {
		answer = err.Error()
	} else {
		answer = sum(item.Value)
	}
	return &answer
}

func main() {
	client := memcache.New("127.0.0.1:" + os.Args[1])
	client.Timeout = 5 * time.Second

	values := map[string]*string{}
	for _, key := range []string{"plain", "empty", "large", "unicode", "binary", "none"} {
		values[key] = get(client, key)
	}
	keys := []string{}
	for at := 0; at < 100; at++ {
		keys = append(keys, fmt.Sprintf("k%d", at))
	}
	hits, err := client.GetMulti(keys)
	if err != nil {
		panic(err)
	}
	many := map[string]string{}
	for key, item := range hits {
		many[key] = sum(item.Value)
	}

	writes := []write{}
	// Tries a write, then reads on the same client.
	try := func(name string, call func() error) {
		var answer *string
		if err := call(); err != nil {
			text := err.Error()
			answer = &text
		}
		writes = append(writes, write{name, answer, get(client, "plain")})
	}
	other := func(value string) *memcache.Item {
		return &memcache.Item{Key: "plain", Value: []byte(value)}
	}
	try("set", func() error { return client.Set(other("other")) })
	try("long set", func() error { return client.Set(other(strings.Repeat("x", 300000))) })
	try("add", func() error { return client.Add(other("other")) })
	try("replace", func() error { return client.Replace(other("other")) })
	try("cas", func() error {
		// Only an item that was read has what the server compares.
		item, err := client.Get("plain")
		if err != nil {
			return err
		}
		item.Value = []byte("other")
		return client.CompareAndSwap(item)
	})
	try("incr", func() error { _, err := client.Increment("plain", 1); return err })
	try("decr", func() error { _, err := client.Decrement("plain", 1); return err })
	try("delete", func() error { return client.Delete("plain") })
	try("touch", func() error { return client.Touch("plain", 60) })
	// Last: this client gives up the connection after an error line.
	try("flush_all", client.FlushAll)
	try("delete all", client.DeleteAll)

	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"values": values, "many": many, "writes": writes,
	})
}
