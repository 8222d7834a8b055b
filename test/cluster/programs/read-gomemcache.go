// Reads the keys of a file with the client of shards.go, and prints how many have themselves as value.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	keys := strings.Split(strings.TrimSpace(string(text)), "\n")
	client, err := connectShards()
	if err != nil {
		panic(err)
	}
	right := 0
	for _, key := range keys {
		if item, err := client.Get(key); err == nil && string(item.Value) == key {
			right++
		}
	}
	many, err := client.GetMulti(keys[:500])
	if err != nil {
		panic(err)
	}
	same := 0
	for key, item := range many {
		if string(item.Value) == key {
			same++
		}
	}
	fmt.Printf("{\"right\": %d, \"many\": %d}\n", right, same)
}
