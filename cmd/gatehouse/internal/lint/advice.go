package lint

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gatehouse/core/policy"
)

// Value is a scalar of the configuration that an error is about.
type Value struct {
	Text     string
	IsString bool
}

// Advice says what to write instead of a value that the parser refuses; "" where it has none. path
// and message are the parser's.
func Advice(path, message string, v Value) string {
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case strings.HasPrefix(message, "unknown field"):
		return ofUnknown(name, message)
	case v.IsString && strings.Contains(v.Text, "${"):
		return "variables aren't replaced here: " + replaceFirst
	case strings.HasPrefix(path, "routes[") && name == "path", strings.Contains(path, "exclude_paths["):
		if better := instead(v.Text); better != v.Text {
			return "write " + better
		}
	case v.IsString && strings.HasSuffix(name, "_seconds"):
		return ofDuration(v.Text)
	case v.IsString && strings.HasPrefix(message, "want true or false") && (v.Text == "true" || v.Text == "false"),
		v.IsString && wantsNumber.MatchString(message) && isInteger(v.Text):
		return "write " + v.Text + " without quotes"
	case !v.IsString && strings.HasSuffix(name, "_seconds"):
		return ofMilliseconds(v.Text, message)
	case v.IsString && strings.HasPrefix(message, "want a list"):
		return ofList(v.Text)
	}
	return closest(message, v.Text)
}

const replaceFirst = `for a secret write {"env": "NAME"}, elsewhere replace it before, as with envsubst`

var wantsNumber = regexp.MustCompile(`^want [0-9]+(\.\.[0-9]+)?, got`)

func isInteger(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// ofDuration reads "60s", "1m30s" and "60".
func ofDuration(text string) string {
	if isInteger(text) {
		return "write " + text + " without quotes"
	}
	text = strings.ReplaceAll(strings.ToLower(text), " ", "")
	days := time.Duration(1)
	if n, ok := strings.CutSuffix(text, "d"); ok {
		text, days = n+"h", 24
	}
	d, err := time.ParseDuration(text)
	if err != nil || d > math.MaxInt64/days {
		return "write a number of seconds"
	}
	d *= days
	if d%time.Second != 0 {
		return "write whole seconds: " + strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
	}
	return "write " + strconv.FormatInt(int64(d/time.Second), 10)
}

// ofMilliseconds suspects milliseconds in what is too large for seconds.
func ofMilliseconds(text, message string) string {
	_, bounds, _ := strings.Cut(message, "..")
	high, err := strconv.ParseFloat(bounds[:max(strings.IndexAny(bounds+",", ", ;"), 0)], 64)
	n, err2 := strconv.ParseFloat(text, 64)
	if err != nil || err2 != nil || n <= high || n/1000 > high || math.Mod(n, 1000) != 0 {
		return ""
	}
	return "if these are milliseconds, write " + strconv.FormatFloat(n/1000, 'f', -1, 64)
}

// ofUnknown knows the names of fields that count milliseconds.
func ofUnknown(name, message string) string {
	for _, suffix := range []string{"_ms", "_millis", "_milliseconds", "Ms", "Millis"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && strings.Contains(message, base+"_seconds") {
			return "write " + base + "_seconds, in seconds"
		}
	}
	return ""
}

// ofList makes a list of a string such as "a, b" or "a b".
func ofList(text string) string {
	items := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	if len(items) == 0 || len(text) > 200 {
		return ""
	}
	list, err := json.Marshal(items)
	if err != nil {
		return ""
	}
	return "write " + strings.ReplaceAll(string(list), `","`, `", "`)
}

var (
	braces  = regexp.MustCompile(`\{[^{}/]*\}|<[^<>/]*>`)
	classes = regexp.MustCompile(`\\[dwS][+*]?|\[[^\]]*\](\{[0-9,]+\}|[+*])?|\([^()]*\)[+*?]?|\.[+*]`)
)

// instead is a path pattern for one in the manner of web frameworks, globs or regular expressions;
// the path itself if it isn't one, or if nothing fits.
func instead(path string) string {
	better := strings.TrimSuffix(strings.TrimPrefix(path, "^"), "$")
	if rest, ok := strings.CutSuffix(better, "/.*"); ok {
		better = rest + "/**"
	} else if rest, ok := strings.CutSuffix(better, "/.+"); ok {
		better = rest + "/**"
	} else if rest, ok := strings.CutSuffix(better, "(/.*)?"); ok {
		better = rest + "/**"
	}
	// "{path:.*}", "{*rest}" and "<path:rest>" are all below.
	segments := strings.Split(strings.ReplaceAll(better, `[^/]`, `[^]`), "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "**" || s == "*":
		case last && (strings.HasPrefix(s, "{*") || strings.HasPrefix(s, "<path:") || strings.HasSuffix(s, ":.*}") || strings.HasSuffix(s, ":path}")):
			segments[i] = "**"
		case braces.MatchString(s), classes.MatchString(s), isExpressParameter(s):
			segments[i] = "*"
		case last && len(s) > 1 && strings.HasSuffix(s, "*") && !strings.Contains(s[:len(s)-1], "*"):
			segments[i] = s[:len(s)-1] + "/**" // a prefix
		default:
			segments[i] = strings.ReplaceAll(s, `\`, "")
		}
	}
	better = strings.Join(segments, "/")
	if len(better) > 1 {
		better = strings.TrimSuffix(better, "/")
	}
	if !strings.HasPrefix(better, "/") {
		better = "/" + better
	}
	if _, err := policy.ParsePattern(better); err != nil {
		return path
	}
	return better
}

var quoted = regexp.MustCompile(`"([^"\\]+)"`)

// closest finds the word of a closed list, which the message gives, that is meant.
func closest(message, text string) string {
	allowed, _, found := strings.Cut(message, ", got ")
	if !found {
		return ""
	}
	var words []string
	for _, m := range quoted.FindAllStringSubmatch(allowed, -1) {
		words = append(words, m[1])
	}
	return didYouMean(words, text)
}

func didYouMean(words []string, text string) string {
	if text == "" || len(text) > 64 {
		return ""
	}
	best, distance := "", 3
	if len(text) <= 4 {
		distance = 2
	}
	for _, word := range words {
		if d := Distance(strings.ToLower(text), strings.ToLower(word)); d < distance {
			best, distance = word, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(best) + "?"
}

// Want is an error about a word that isn't in a closed list.
func Want(words []string, got string) string {
	last := len(words) - 1
	message := "want " + strings.Join(words[:last], ", ") + " or " + words[last] + ", got " + strconv.Quote(got)
	if hint := didYouMean(words, got); hint != "" {
		message += "; " + hint
	}
	return message
}

// Distance is how many insertions, deletions and substitutions of a byte, and swaps of two
// neighbours, turn a into b (optimal string alignment).
func Distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range len(a) {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		rows = [3][]int{last, row, before}
	}
	return rows[1][len(b)]
}
