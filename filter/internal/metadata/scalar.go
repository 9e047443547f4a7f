package metadata

import (
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNumber = errors.New("not a JSON number")
	errText   = errors.New("not UTF-8")
)

// appendNumber writes a number as issuers do (ECMA-262 §6.1.6.1.20): with an exponent only if it is
// very large or small. A header or an event that shows a claim is to show the same, whichever
// filter verified the token.
func appendNumber(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errNumber
	}
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64), nil
}

// appendText writes a JSON string.
func appendText(dst, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errText
	}
	return jsontext.AppendQuote(dst, text)
}
