// Reads by gomemcache: go run read.go PORT KEY...
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

func main() {
	client := memcache.New("127.0.0.1:" + os.Args[1])
	client.Timeout = 5 * time.Second // Its 100 ms are short for a busy machine.
	keys := os.Args[2:]
	items, err := client.GetMulti(keys)
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range keys {
		if item, found := items[key]; found {
			fmt.Printf("%s: %s\n", key, item.Value)
		}
	}
}
