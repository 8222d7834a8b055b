// Reads a Redis Cluster with go-redis: use-go-redis PORT FILE. Prints a line of JSON.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"gopkg.in/redis.v5"
)

func main() {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:    []string{"127.0.0.1:" + os.Args[1]},
		ReadOnly: true,
	})
	file, err := os.Open(os.Args[2])
	if err != nil {
		panic(err)
	}
	found := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Split(lines.Text(), " ")
		key, _ := hex.DecodeString(words[0])
		value, _ := hex.DecodeString(words[1])
		answer, err := client.Get(string(key)).Bytes()
		switch {
		case err != nil:
			found["errors"]++
			fmt.Fprintln(os.Stderr, err)
		case string(answer) == string(value):
			found["right"]++
		default:
			found["wrong"]++
		}
	}
	for at := 0; at < 50; at++ {
		if _, err := client.Get(fmt.Sprintf("none:%d", at)).Result(); err == redis.Nil {
			found["absent"]++
		}
	}
	text, _ := json.Marshal(found)
	fmt.Println(string(text))
}
