//go:build wasip1

package plugin

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/core"
	"gatehouse/core/claims"
	"gatehouse/core/config"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/host"
)

// foreignClaims reads one provider's claims out of the dynamic metadata that Envoy's own JWT filter leaves. The payload
// can't be read as a whole: each claim that the configuration could ask for is read by name.
type foreignClaims struct {
	provider int
	status   host.Path // of the failure code; "" where the configuration has none
	claims   []foreignClaim
}

type foreignClaim struct {
	name   string
	text   bool        // Envoy's filter sees to it that it is text: nobody gets another identity by a subject of the right bytes
	number bool        // a NumericDate: its bytes are a float64, whatever they look like
	object bool        // that it is there matters, even if something in it can't be read
	paths  []host.Path // where it may be, in the order of claims.Set.Get
}

func newForeign(cfg *config.Config, gate *core.Gate) (out []foreignClaims) {
	for i := range cfg.Tokens.Providers {
		from := cfg.Tokens.Providers[i].ClaimsFrom
		if from == nil {
			continue
		}
		f := foreignClaims{provider: i}
		if from.FailedStatusKey != "" {
			f.status = host.NewPath("metadata", "filter_metadata", from.Filter, from.FailedStatusKey, "code")
		}
		for _, name := range gate.ClaimNames(i) {
			base := []string{"metadata", "filter_metadata", from.Filter, from.Key}
			c := foreignClaim{name: name}
			for _, steps := range readings(name) {
				c.paths = append(c.paths, host.NewPath(append(slices.Clip(base), steps...)...))
			}
			c.text = name == "iss" || name == "sub"
			c.number = name == "exp" || name == "nbf" || name == "iat" || name == "auth_time"
			c.object = name == "kubernetes.io" || name == "cnf"
			f.claims = append(f.claims, c)
		}
		out = append(out, f)
	}
	return out
}

// maxDots bounds the readings of a name, which double with each dot.
const maxDots = 4

// readings are the ways to read a claim's name, first the one that counts first: a literal member, then dotted paths whose
// steps may have dots in them too ("https://app.example/claims.tenant"). Of a name with more than maxDots dots only the two
// extremes are tried.
func readings(name string) [][]string {
	out := [][]string{{name}}
	if dots := strings.Count(name, "."); dots > maxDots {
		return append(out, strings.Split(name, "."))
	}
	for i := range len(name) {
		if name[i] == '.' {
			for _, rest := range readings(name[i+1:]) {
				out = append(out, append([]string{name[:i]}, rest...))
			}
		}
	}
	return out
}

// foreignFor implements core.Request's Foreign.
func (p *plugin) foreignFor(provider int) core.Foreign {
	for i := range p.foreign {
		if f := &p.foreign[i]; f.provider == provider {
			return f.read()
		}
	}
	return core.Foreign{}
}

// read gives the claims that the filter verified, or why there are none.
func (f *foreignClaims) read() core.Foreign {
	doc := []byte{'{'}
	for i := range f.claims {
		doc = f.claims[i].appendMember(doc)
	}
	if len(doc) > 1 {
		set, err := claims.Parse(append(doc, '}'))
		if err != nil {
			return core.Foreign{Failure: reason.MalformedToken}
		}
		return core.Foreign{Present: true, Claims: set}
	}
	if f.status != "" {
		if code, status := host.Property(f.status); status == host.OK && len(code) == 8 {
			return core.Foreign{Failure: core.JWTStatus(number(code))}
		}
	}
	return core.Foreign{}
}

// appendMember appends the claim to an object, if the metadata has it.
func (c *foreignClaim) appendMember(dst []byte) []byte {
	exists := false
	for _, path := range c.paths {
		value, status := host.Property(path)
		if status == host.OK {
			return c.appendValue(appendName(dst, c.name), value, path, 0)
		}
		exists = exists || status != host.NotFound
	}
	if exists && c.object {
		return append(appendName(dst, c.name), "{}"...)
	}
	return dst
}

// appendName begins the next member of an object.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(appendText(dst, name), ':')
}

// maxDepth bounds lists and objects in each other.
const maxDepth = 8

// appendValue turns a property's bytes back into JSON. Their form doesn't say their type: a string's are itself, a number's
// are a float64, a boolean's are one byte 0 or 1, an object's are a header map, a list's a header map whose keys are its
// elements. The path is the property's, "" for a part of one.
func (c *foreignClaim) appendValue(dst, value []byte, path host.Path, depth int) []byte {
	switch {
	case c.text:
	case len(value) == 8 && (c.number || !isText(value)):
		f := number(value)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return append(dst, "null"...)
		}
		return appendNumber(dst, f)
	case len(value) == 1 && value[0] <= 1:
		return strconv.AppendBool(dst, value[0] == 1)
	case depth < maxDepth:
		if members, ok := pairs(value); ok {
			return c.appendMembers(dst, members, isList(members, path), depth+1)
		}
	}
	return appendText(dst, string(value))
}

// appendNumber writes a number as issuers do (ECMA-262 §6.1.6.1.20): with an exponent only where it is very large or small. A
// header or an event that shows a claim is to show the same, whoever verified the token.
func appendNumber(dst []byte, f float64) []byte {
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

func number(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

// isText tells text from a float64's bytes: those of numbers in use have control bytes in them.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' {
			return false
		}
	}
	return utf8.Valid(b)
}

// pair is an entry of a header map.
type pair struct{ key, value []byte }

// pairs reads a header map: a count, two sizes for each entry, and the entries, each key and each value with a NUL behind.
func pairs(b []byte) ([]pair, bool) {
	if len(b) < 4 {
		return nil, false
	}
	count := int(binary.LittleEndian.Uint32(b))
	if count < 0 || count > (len(b)-4)/8 {
		return nil, false
	}
	sizes, data := b[4:4+8*count], b[4+8*count:]
	out := make([]pair, count)
	for i := range out {
		key := int(binary.LittleEndian.Uint32(sizes[8*i:]))
		value := int(binary.LittleEndian.Uint32(sizes[8*i+4:]))
		if key < 0 || value < 0 || key+1+value+1 > len(data) {
			return nil, false
		}
		out[i] = pair{data[:key], data[key+1 : key+1+value]}
		data = data[key+1+value+1:]
	}
	return out, len(data) == 0
}

// isList tells ["admin"] from {"admin": ""}, whose bytes are the same: only a list has its element at the element's index. It
// takes an element that isn't empty, as the members of such an object all are. Members' names must not pass for elements, lest
// the roles that an object merely mentions become the caller's.
func isList(members []pair, path host.Path) bool {
	chosen := 0
	for i := range members {
		if len(members[i].value) > 0 {
			return false
		}
		if len(members[chosen].key) == 0 {
			chosen = i
		}
	}
	if len(members) == 0 || path == "" {
		return true
	}
	element, status := host.Property(path + "\x00" + host.Path(strconv.Itoa(chosen)))
	return status == host.OK && string(element) == string(members[chosen].key)
}

func (c *foreignClaim) appendMembers(dst []byte, members []pair, list bool, depth int) []byte {
	brackets := "{}"
	if list {
		brackets = "[]"
	}
	dst = append(dst, brackets[0])
	for i := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		value := members[i].key
		if !list {
			dst = append(appendText(dst, string(members[i].key)), ':')
			value = members[i].value
		}
		dst = c.appendValue(dst, value, "", depth)
	}
	return append(dst, brackets[1])
}

// appendText appends a JSON string; bytes that aren't UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	out, _ := jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "�"))
	return out
}
