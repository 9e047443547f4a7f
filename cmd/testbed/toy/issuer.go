package toy

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Issuer is an identity provider. It publishes its keys at /jwks.json and its metadata at
// /.well-known/openid-configuration, and signs any claims. Its methods are safe for concurrent use.
type Issuer struct {
	server

	name string
	mux  *http.ServeMux

	keysMu     sync.Mutex
	generation int
	keys       map[string]keyPair // by kind, see keyFor
	set        []byte             // what /jwks.json answers
	fetches    int
	fault      Fault
}

// Fault is how /jwks.json misbehaves. The zero value behaves.
type Fault struct {
	// Status is answered instead of 200; 0 for none.
	Status int
	// Body is answered instead of the JWK Set; nil for none.
	Body []byte
	// Delay passes before the answer.
	Delay time.Duration
	// Reset closes the connection instead of answering.
	Reset bool
	// CacheControl is the answer's header of that name, which is no fault; empty for none.
	CacheControl string
}

// StartIssuer starts an issuer with fresh keys (RSA 2048, P-256, P-384, P-521, Ed25519) at an
// address; empty for a free port of 127.0.0.1. Its tokens name it as name; empty for its URL.
func StartIssuer(address, name string) (*Issuer, error) {
	i := &Issuer{mux: http.NewServeMux()}
	if err := i.Rotate(false); err != nil {
		return nil, err
	}
	i.mux.HandleFunc("GET /jwks.json", i.serveSet)
	i.mux.HandleFunc("GET /.well-known/openid-configuration", i.serveMetadata)
	i.handler = i.mux
	if err := i.start(address); err != nil {
		return nil, err
	}
	i.name = name
	if name == "" {
		i.name = i.URL()
	}
	return i, nil
}

// Name returns what the issuer's tokens carry as iss.
func (i *Issuer) Name() string { return i.name }

// Rotate replaces the keys, under new key ids. With keepOld the last generation stays published, as
// it does with careful issuers.
func (i *Issuer) Rotate(keepOld bool) error {
	i.keysMu.Lock()
	defer i.keysMu.Unlock()
	keys, err := generateKeys(i.generation + 1)
	if err != nil {
		return err
	}
	published := []map[string]keyPair{keys}
	if keepOld {
		published = append(published, i.keys)
	}
	set, err := encodeSet(published...)
	if err != nil {
		return err
	}
	i.generation, i.keys, i.set = i.generation+1, keys, set
	return nil
}

// JWKS returns the JWK Set as published.
func (i *Issuer) JWKS() []byte {
	i.keysMu.Lock()
	defer i.keysMu.Unlock()
	return i.set
}

// Fetches returns how many requests for the JWK Set have arrived, answered or not.
func (i *Issuer) Fetches() int {
	i.keysMu.Lock()
	defer i.keysMu.Unlock()
	return i.fetches
}

// Misbehave changes how requests for the JWK Set that arrive from now on are answered.
func (i *Issuer) Misbehave(fault Fault) {
	i.keysMu.Lock()
	defer i.keysMu.Unlock()
	i.fault = fault
}

func (i *Issuer) serveSet(w http.ResponseWriter, r *http.Request) {
	i.keysMu.Lock()
	i.fetches++
	fault, body := i.fault, i.set
	i.keysMu.Unlock()
	if !pause(r, fault.Delay) {
		return
	}
	if fault.Reset {
		reset(w)
		return
	}
	if fault.Body != nil {
		body = fault.Body
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	if fault.CacheControl != "" {
		w.Header().Set("Cache-Control", fault.CacheControl)
	}
	if fault.Status != 0 {
		w.WriteHeader(fault.Status)
	}
	_, _ = w.Write(body)
}

func (i *Issuer) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"issuer": i.name, "jwks_uri": i.URL() + "/jwks.json",
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
	})
}

// pause waits and reports whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
