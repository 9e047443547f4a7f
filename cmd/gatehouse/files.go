package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"gatehouse/core/jwks"
)

// readFile reads a file, or in for "-".
func readFile(name string, in io.Reader, limit int) ([]byte, error) {
	if name == "-" {
		return readAll(in, limit)
	}
	f, err := os.Open(name)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

func readAll(r io.Reader, limit int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return text, err
}

// fetchTimeout bounds the fetch of a JWK Set.
const fetchTimeout = 10 * time.Second

// loadKeys reads a JWK Set from a file, or from an http or https URL.
func loadKeys(ctx context.Context, source string) (*jwks.Set, error) {
	text, err := loadSource(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("JWK Set %s: %w", source, err)
	}
	set, err := jwks.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("JWK Set %s: %w", source, err)
	}
	return set, nil
}

func loadSource(ctx context.Context, source string) ([]byte, error) {
	if !strings.HasPrefix(source, "http://") && !strings.HasPrefix(source, "https://") {
		return readFile(source, nil, jwks.MaxBytes)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the filter follows none either
	}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", response.Status)
	}
	return readAll(response.Body, jwks.MaxBytes)
}
