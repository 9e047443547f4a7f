package policytest

import (
	_ "embed"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Resource is the path that each spelling of the corpus could mean to some server, and Protected
// the tree that it is in.
const (
	Resource  = "/admin/secret"
	Protected = "admin"
)

//go:generate go run ./generate

//go:embed handpicked.txt
var handpicked string

//go:embed spellings.txt
var spellings string

// Spellings returns the corpus: request targets, as a client writes them in its request line.
// spellings.txt has them; Generate made it.
func Spellings() []string { return read(spellings) }

// read reads a file of Go strings, one a line, each perhaps with a remark behind a tab.
func read(file string) (out []string) {
	for line := range strings.Lines(file) {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			continue // a comment
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			panic(err) // of strconv's own making
		}
		out = append(out, text)
	}
	return out
}

// The parts that Generate puts together.
var (
	// slashes are what a server could take for a slash, or skip beside one.
	slashes = []string{
		"//", "///", `\`, `\\`, `/\`, `\/`, "%2f", "%2F", "/%2f", "%2f/", "%2f%2f", "%5c", "%5C", "%252f", "%252F", "%25252f", "%255c",
		"%c0%af", "%C0%AF", "%e0%80%af", "%c1%9c", "%u002f", "%u2215", "%ef%bc%8f", "%e2%88%95", "%e2%81%84",
		"/./", "/%2e/", "/.;/", "/;/", "/;x=1/", "/%3b/", "%2f.%2f", "%2f;%2f", "/%20/", "/%00/", "%00/", "/%09/", " /", "/ ", "/%0a/",
		"/?/", "/#/", "%3f/", "%23/", ":/", "/~/", "/*/",
	}
	// dots are what a server could take for "..".
	dots = []string{
		"..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", ".%252e", "%25252e%25252e", "..;", "..;x", "..;x=1", "%2e%2e;", "..%3b", "..%3B",
		"..%00", "..%01", "..%09", "..%20", "%20..", ".. ", "..%23", "..%3f", "...", "....", ".%00.", "%c0%ae%c0%ae", "%c0%2e%c0%2e",
		"%e0%80%ae%e0%80%ae", "%u002e%u002e", "%ef%bc%8e%ef%bc%8e", "%e2%80%a5", `..\`, "..%5c", "..%2f", "..%252f", "..%c0%af",
		"%%32%65%%32%65", "%2%65%2%65", "..//", "../.", ".;/..", ";/..",
	}
	// steps join ".." to what follows it.
	steps = []string{"/", "%2f", `\`, "%5c", "//", "/./"}
	// ends are what a server could cut off, or skip.
	ends = []string{
		"/", "//", "/.", "/./", "/%2e", "/x/..", "/x/../", "/..;/secret", ";", ";x", ";x=1", ";.css", "%3b", "%3Bx", "%3b.css", ".", "..", "%2e", "%20", "%20%20",
		"%00", "%00.css", "%00/", "%01", "%09", "%0a", "%0d", "%0d%0a", "%7f", "%85", "%c2%85", "%a0", "%c2%a0", "?", "?x", "?/../x", "??", "%3f", "%3Fx=1",
		"%253f", "#", "#x", "%23", "%23x", "%2523", "%2f", "%5c", `\`, "%252f", ".json", ".html", ".php", "~", "*", "&", "=", "+", ",", ":", "!", "|", "^",
		"%", "%2", "%g0", "%%", "%e2%80%8b", "%ef%bb%bf", "%c0%80", "%ff", "%c3", "\x01", "\x7f", "\xff", "\xc2\xa0", "é", "%u0000", "::$DATA", "$", "'", "\"", "<", "`",
	}
	// begins are what a server could skip in front of a path.
	begins = []string{
		"", "/", "//", "/.", "/%2e", "/;", "/;x=1", "/.;", "/%3b", "/%20", "/%09", "/%00", "/%0a", "/?", "/#", "/%3f", "/%23", "/*", "*", "/~", "/:", "/@", "/gate@",
		`\`, `/\`, `\/`, "/%5c", "/%2f", "%2f", "/%252f", "http:", "http:/", "http://", "http://gate", "http://gate:80", "http://evil", "https://gate",
		"ftp://gate", "HTTP://gate", "http://gate@evil", "http://gate/public/..", "//gate", "///gate/..", "/.//", "/..", "/../..", "/%2e%2e", "/%ef%bb%bf", " ",
		"/ ", "\t", "/public?", "/public#", "/public;", "/public%3f", "/public%23", "/public%00", "/public%0d%0a",
	}
	// alike are letters that a server could take for those of the path, without case or by
	// compatibility (NFKC).
	alike = map[string][]string{
		"a": {"A", "%41", "%61", "%2561", "%u0061", "%ef%bd%81", "%ef%bc%a1", "%c1%a1", "%e0%81%a1", "%c2%aa", "%c3%a1", "a%cc%81", "a%c2%ad", "a%e2%80%8b"},
		"i": {"I", "%49", "%69", "%2569", "%c4%b1", "%c4%b0", "%ef%bd%89", "%e2%81%b1", "%c1%a9", "i%cc%87", "%e2%85%b0"},
		"m": {"M", "%6D", "%6d", "%ef%bd%8d", "%e2%85%bf"},
		"s": {"S", "%53", "%73", "%c5%bf", "%ef%bd%93", "%cb%a2"},
	}
)

// Generate makes the corpus: the hand-picked spellings, then each part by itself, then pairs of
// parts, drawn with a fixed seed.
func Generate() []string {
	c := corpus{seen: map[string]bool{}}
	c.add(read(handpicked)...)
	for _, s := range slashes {
		c.add("/admin"+s+"secret", s+"admin/secret", s+"admin"+s+"secret", "/public"+s+".."+s+"admin/secret")
	}
	for _, d := range dots {
		for _, s := range steps {
			c.add("/public/" + d + s + "admin/secret")
		}
		c.add("/"+d+"/admin/secret", "/admin/x/"+d+"/secret", "/public/a/"+d+"/"+d+"/admin/secret", "/admin/"+d+"/admin/secret")
	}
	for _, e := range ends {
		c.add("/admin/secret"+e, "/admin"+e+"/secret", "/public/../admin/secret"+e)
	}
	for _, b := range begins {
		c.add(b+"/admin/secret", b+"admin/secret")
	}
	for letter, others := range sorted(alike) {
		for _, o := range others {
			c.add(strings.Replace(Resource, letter, o, 1))
		}
	}
	for i := 1; i < len(Resource); i++ { // each byte as an escape, once and twice
		escaped := fmt.Sprintf("%02x", Resource[i])
		c.add(Resource[:i]+"%"+escaped+Resource[i+1:], Resource[:i]+"%25"+escaped+Resource[i+1:])
	}
	r := rand.New(rand.NewPCG(1, 2026))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for range 400 {
		c.add(pick(begins) + "/" + pick([]string{"", "public/" + pick(dots) + pick(steps)}) + "admin" + pick(append(slashes, "/")) + "secret" + pick(append(ends, "")))
	}
	return c.all
}

func sorted(m map[string][]string) func(yield func(string, []string) bool) {
	return func(yield func(string, []string) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

type corpus struct {
	seen map[string]bool
	all  []string
}

func (c *corpus) add(spellings ...string) {
	for _, s := range spellings {
		if !c.seen[s] {
			c.seen[s] = true
			c.all = append(c.all, s)
		}
	}
}

// Write is the corpus as a file.
func Write(corpus []string) []byte {
	out := []byte("# Made by go generate: do not edit. Spellings of /admin/secret as Go strings, see spellings.go.\n")
	for _, s := range corpus {
		out = append(strconv.AppendQuoteToASCII(out, s), '\n')
	}
	return out
}
