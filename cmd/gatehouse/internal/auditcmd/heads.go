package auditcmd

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"gatehouse/core/audit"
)

// head is a head as GET /audit/heads answers it. Other members are ignored.
type head struct {
	KeyID  string `json:"key_id"`
	Stream string `json:"stream"`
	Seq    *uint64
	MAC    string
}

var errHeads = errors.New(`want heads {"key_id", "stream", "seq", "mac"}: one, a list, or {"heads": [...]}; several in a row are fine`)

// readHeads reads --heads: answers of GET /audit/heads, one or several in a row.
func readHeads(name string) (heads []audit.Head, err error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--heads: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var value json.RawMessage
		if err := d.Decode(&value); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("--heads: %s: %w", name, err)
		}
		found, err := parseHeads(value)
		if err != nil {
			return nil, fmt.Errorf("--heads: %s: %w", name, err)
		}
		heads = append(heads, found...)
	}
	if len(heads) == 0 {
		return nil, fmt.Errorf("--heads: %s: there is no head in it", name)
	}
	return heads, nil
}

// parseHeads reads one JSON value.
func parseHeads(value json.RawMessage) (heads []audit.Head, err error) {
	var list []head
	var object struct {
		head
		Heads *[]head
	}
	switch {
	case json.Unmarshal(value, &list) == nil:
	case json.Unmarshal(value, &object) != nil:
		return nil, errHeads
	case object.Heads != nil:
		list = *object.Heads
	default:
		list = []head{object.head}
	}
	for _, h := range list {
		mac, err := hex.DecodeString(h.MAC)
		if err != nil || len(mac) != audit.MACBytes || h.Stream == "" || h.Seq == nil {
			return nil, errHeads
		}
		heads = append(heads, audit.Head{KeyID: h.KeyID, Stream: h.Stream, Seq: *h.Seq, MAC: [audit.MACBytes]byte(mac)})
	}
	return heads, nil
}
