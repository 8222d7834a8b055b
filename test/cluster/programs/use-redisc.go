// Reads a Redis Cluster with redisc: use-redisc PORT FILE. Prints a line of JSON.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"
)

func main() {
	cluster := &redisc.Cluster{
		StartupNodes: []string{"127.0.0.1:" + os.Args[1]},
		CreatePool: func(address string, options ...redis.DialOption) (*redis.Pool, error) {
			dial := func() (redis.Conn, error) { return redis.Dial("tcp", address, options...) }
			return &redis.Pool{Dial: dial}, nil
		},
	}
	if err := cluster.Refresh(); err != nil {
		panic(err)
	}
	get := func(key interface{}, isReplica bool) ([]byte, error) {
		conn := cluster.Get()
		defer conn.Close()
		if isReplica {
			if err := redisc.ReadOnlyConn(conn); err != nil {
				return nil, err
			}
		}
		retrying, err := redisc.RetryConn(conn, 3, time.Second)
		if err != nil {
			return nil, err
		}
		return redis.Bytes(retrying.Do("GET", key))
	}
	file, err := os.Open(os.Args[2])
	if err != nil {
		panic(err)
	}
	found := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Split(lines.Text(), " ")
		key, _ := hex.DecodeString(words[0])
		value, _ := hex.DecodeString(words[1])
		answer, err := get(string(key), found["right"]%2 == 0)
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
		if _, err := get(fmt.Sprintf("none:%d", at), false); err == redis.ErrNil {
			found["absent"]++
		}
	}
	text, _ := json.Marshal(found)
	fmt.Println(string(text))
}
