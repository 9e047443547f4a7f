package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"gatehouse/cmd/testbed/rawhttp"
)

// connections is how many keep-alive connections the load generator has open at once.
const connections = 8

// patience is how long an answer may take before a measurement fails.
const patience = 30 * time.Second

// anyStatus is for answers that don't matter.
const anyStatus = 0

// load sends n requests over keep-alive connections, each as soon as the one before it is answered,
// and fails on an answer whose status isn't want. requests take turns. It writes bytes instead of
// using net/http, whose client costs more CPU than the proxy that is measured.
func load(address string, requests [][]byte, n, want int) error {
	var group sync.WaitGroup
	failures := make([]error, connections)
	for i := range connections {
		group.Go(func() { failures[i] = converse(address, requests, i, n, want) })
	}
	group.Wait()
	return errors.Join(failures...)
}

// converse is one connection's part of a load: the requests number first, first+connections and so
// on, below n.
func converse(address string, requests [][]byte, first, n, want int) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	in := bufio.NewReader(connection)
	for i := first; i < n; i += connections {
		if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := connection.Write(requests[i%len(requests)]); err != nil {
			return err
		}
		status, err := rawhttp.ReadAnswer(in)
		if err != nil {
			return err
		}
		if want != anyStatus && status != want {
			return fmt.Errorf("answer %d has status %d, want %d", i, status, want)
		}
	}
	return nil
}

// get is a whole GET request; token may be empty.
func get(path, token string) []byte {
	text := "GET " + path + " HTTP/1.1\r\nhost: api.example\r\nuser-agent: bench/1\r\naccept: */*\r\n"
	if token != "" {
		text += "authorization: Bearer " + token + "\r\n"
	}
	return []byte(text + "\r\n")
}
