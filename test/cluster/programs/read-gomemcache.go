// Reads the keys of a file with the client of shards.go, and prints how many have themselves as value:
// read FILE [STOP]. With STOP, it reads until there is a file of that name.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

type found struct {
	Right     int      `json:"right"`
	Wrong     int      `json:"wrong"`
	Errors    int      `json:"errors"`
	SlowestMs float64  `json:"slowestMs"`
	Said      []string `json:"said"`
}

func (f *found) ask(read func() (bool, error)) {
	start := time.Now()
	isRight, err := read()
	if err != nil {
		f.Errors++
		f.Said = append(f.Said, err.Error())
	} else if isRight {
		f.Right++
	} else {
		f.Wrong++
	}
	if ms := float64(time.Since(start).Microseconds()) / 1000; ms > f.SlowestMs {
		f.SlowestMs = ms
	}
}

func keepReading(client *shardClient, keys []string, stop string) {
	f := &found{Said: []string{}}
	fmt.Println("ready")
	for {
		if _, err := os.Stat(stop); err == nil {
			break
		}
		for at := 0; at < len(keys); at += 100 {
			some := keys[at : at+100]
			for _, key := range some[:3] {
				f.ask(func() (bool, error) {
					item, err := client.Get(key)
					return err == nil && string(item.Value) == key, err
				})
			}
			f.ask(func() (bool, error) {
				items, err := client.GetMulti(some)
				return len(items) == len(some), err
			})
		}
	}
	text, _ := json.Marshal(f)
	fmt.Println(string(text))
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	keys := strings.Split(strings.TrimSpace(string(text)), "\n")
	client := connectShards()
	if len(os.Args) > 2 {
		keepReading(client, keys, os.Args[2])
		return
	}
	// Its 100 ms are too few for a machine that is busy, and no node is to fail here.
	for _, nodes := range client.nodes {
		for _, node := range nodes {
			node.client.Timeout = time.Minute
		}
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
