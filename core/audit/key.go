package audit

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Bounds of a chain's key, in bytes. A key that is shorter than the hash weakens HMAC (RFC 2104
// §3).
const (
	MinKeyBytes = 32
	MaxKeyBytes = 1024
)

// ParseKey reads a chain's key: base64 (RFC 4648 §4) of 32 to 1024 bytes, with or without padding.
// White space around it is ignored, so that a file may end with a newline. The error quotes nothing
// of the text.
func ParseKey(text string) ([]byte, error) {
	text = strings.Trim(text, " \t\r\n")
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips line breaks
		return nil, errKey("text of " + strconv.Itoa(len(text)) + " characters that isn't base64")
	}
	if len(key) < MinKeyBytes || len(key) > MaxKeyBytes {
		return nil, errKey(strconv.Itoa(len(key)) + " bytes")
	}
	return key, nil
}

func errKey(got string) error {
	return errors.New("want base64 of " + strconv.Itoa(MinKeyBytes) + ".." + strconv.Itoa(MaxKeyBytes) + " bytes, got " + got)
}
