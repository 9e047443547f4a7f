package jwks

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a JWK Set. Real ones have two to twenty keys of one to four kilobytes (with certificate
// chains).
const (
	MaxBytes = 512 << 10 // of the whole document
	MaxKeys  = 256
	MaxKeyID = 256 // bytes of a "kid"
	maxDepth = 16
)

var (
	errTooLarge = errors.New("JWK Set is too large")
	errTooMany  = errors.New("JWK Set has too many keys")
	errObject   = errors.New("JWK Set is not a JSON object")
	errKeys     = errors.New(`JWK Set has no "keys" array`)
	errTrailing = errors.New("data after the JWK Set")
	errDepth    = errors.New("JWK Set is nested too deeply")
	errJSON     = errors.New("JWK Set is not strict JSON")
)

// Parse reads a JWK Set (RFC 7517 §5). The document must be one JSON object in UTF-8 without
// duplicate members, of at most MaxBytes bytes and MaxKeys keys; anything else is an error.
//
// Parse skips a key that can't verify signatures, and says why in Set.Skipped: an unknown "kty",
// "crv" or "alg"; a "use" other than "sig"; "key_ops" that lists other operations than "verify"
// only; an RSA modulus outside 2048..8192 bits; an RSA exponent that is even or below 3; a point
// that is not on its curve; an Ed25519 point of small order; a secret shorter than MinSecret; a key
// that the set already has. Private members are not read.
func Parse(doc []byte) (*Set, error) {
	if len(doc) > MaxBytes {
		return nil, errTooLarge
	}
	if err := scan(doc); err != nil {
		return nil, err
	}
	set, found := &Set{}, false
	err := eachMember(doc, func(name string, value jsontext.Value) error {
		if name != "keys" {
			return nil
		}
		found = true
		return set.addAll(value)
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errKeys
	}
	return set, nil
}

// scan checks the syntax and the depth of the whole document.
func scan(doc []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(doc))
	if d.PeekKind() != '{' {
		return errObject
	}
	for {
		if _, err := d.ReadToken(); err != nil {
			return errJSON // the decoder's own error quotes the document
		}
		depth := d.StackDepth()
		if depth > maxDepth {
			return errDepth
		}
		if depth == 0 {
			break
		}
	}
	if _, err := d.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext returns io.EOF itself
		return errTrailing
	}
	return nil
}

// eachMember calls f for each member of an object that scan accepted. The value is valid until f
// returns.
func eachMember(obj []byte, f func(name string, value jsontext.Value) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(obj))
	if _, err := d.ReadToken(); err != nil {
		return errJSON
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return errJSON
		}
		name := t.String()
		v, err := d.ReadValue()
		if err != nil {
			return errJSON
		}
		if err := f(name, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) addAll(list jsontext.Value) error {
	if list.Kind() != '[' {
		return errKeys
	}
	d := jsontext.NewDecoder(bytes.NewReader(list))
	if _, err := d.ReadToken(); err != nil {
		return errJSON
	}
	for i := 0; d.PeekKind() != ']'; i++ {
		if i == MaxKeys {
			return errTooMany
		}
		v, err := d.ReadValue()
		if err != nil {
			return errJSON
		}
		key, why := parseKey(v)
		if why == "" && s.contains(key) {
			why = "repeats another key"
		}
		if why != "" {
			s.Skipped = append(s.Skipped, Skipped{Index: i, ID: key.ID, Why: why})
			continue
		}
		s.Keys = append(s.Keys, key)
	}
	return nil
}

func (s *Set) contains(k *Key) bool {
	for _, o := range s.Keys {
		if o.Equal(k) {
			return true
		}
	}
	return false
}
