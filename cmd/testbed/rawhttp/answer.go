// Package rawhttp reads HTTP/1.1 answers for load generators that write bytes: net/http's client
// costs more CPU than the proxies that they measure.
package rawhttp

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
)

// ReadAnswer reads an HTTP/1.1 response whose length its header says (RFC 9112 §6.3), and returns
// its status. A response without a length is an error.
func ReadAnswer(in *bufio.Reader) (status int, err error) {
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
