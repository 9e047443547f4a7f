package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// connections is how many keep-alive connections the load generator has open at once.
const connections = 8

// patience is how long an answer may take before a measurement fails.
const patience = 30 * time.Second

// anyStatus is for answers that don't matter.
const anyStatus = 0

// load sends n requests over keep-alive connections, each as soon as the one before it is answered, and fails on an answer
// whose status isn't want. requests take turns. It writes bytes instead of using net/http, whose client costs more CPU than
// the proxy that is measured.
func load(address string, requests [][]byte, n, want int) error {
	var group sync.WaitGroup
	failures := make([]error, connections)
	for i := range connections {
		group.Go(func() { failures[i] = converse(address, requests, i, n, want) })
	}
	group.Wait()
	return errors.Join(failures...)
}

// converse is one connection's part of a load: the requests number first, first+connections and so on, below n.
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
		status, err := readAnswer(in)
		if err != nil {
			return err
		}
		if want != anyStatus && status != want {
			return fmt.Errorf("answer %d has status %d, want %d", i, status, want)
		}
	}
	return nil
}

// readAnswer reads an HTTP/1.1 response whose length its header says (RFC 9112 §6.3), and returns its status.
func readAnswer(in *bufio.Reader) (status int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("no status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := -1
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if !ok {
			break
		}
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, fmt.Errorf("an answer of status %d without a length", status)
	}
	_, err = in.Discard(length)
	return status, err
}

// get is a whole GET request; token may be empty.
func get(path, token string) []byte {
	text := "GET " + path + " HTTP/1.1\r\nhost: api.example\r\nuser-agent: bench/1\r\naccept: */*\r\n"
	if token != "" {
		text += "authorization: Bearer " + token + "\r\n"
	}
	return []byte(text + "\r\n")
}
