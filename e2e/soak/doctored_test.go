package soak_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logs are the files of a record that a doctor has changed, by name.
type logs struct {
	t       *testing.T
	dir     string
	changed map[string]string
}

func (l *logs) text(name string) string {
	if text, ok := l.changed[name]; ok {
		return text
	}
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	require.NoError(l.t, err)
	return string(text)
}

// replace replaces the first occurrence of a text.
func (l *logs) replace(name, old, with string) {
	text := l.text(name)
	require.Contains(l.t, text, old, name)
	l.changed[name] = strings.Replace(text, old, with, 1)
}

// find returns the line in the middle of those that match.
func (l *logs) find(name, pattern string) string {
	found := regexp.MustCompile("(?m)^.*"+pattern+".*$").FindAllString(l.text(name), -1)
	require.NotEmpty(l.t, found, "%s has no line like %s", name, pattern)
	return found[len(found)/2]
}

// drop removes a line, wherever it is in a file.
func (l *logs) drop(name, line string) {
	require.Contains(l.t, l.text(name), line+"\n", name)
	l.changed[name] = strings.ReplaceAll(l.text(name), line+"\n", "")
}

var chainOf = regexp.MustCompile(`(?m),"chain":\{"key_id":"soak","stream":"([0-9a-f]+)","seq":\d+,.*$`)

// chainAnew gives all lines of the audit log new places and new macs, as whoever has the key can,
// and has the receiver store just these.
func (l *logs) chainAnew() {
	key, err := base64.StdEncoding.DecodeString(keyText)
	require.NoError(l.t, err)
	prev, next := map[string][]byte{}, map[string]int{}
	var out bytes.Buffer
	for line := range strings.Lines(l.text("audit.log")) {
		m := chainOf.FindStringSubmatchIndex(line)
		if m == nil {
			continue // of a request without an event
		}
		signed, stream := line[:m[0]+1], line[m[2]:m[3]]
		before := prev[stream]
		if before == nil {
			before = make([]byte, sha256.Size)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(before)
		mac.Write([]byte(signed))
		sum := mac.Sum(nil)
		fmt.Fprintf(&out, `%s"chain":{"key_id":"soak","stream":%q,"seq":%d,"prev":"%s","mac":"%s"}}`+"\n",
			signed, stream, next[stream], hex.EncodeToString(before), hex.EncodeToString(sum))
		prev[stream] = sum
		next[stream]++
	}
	l.changed["audit.log"], l.changed["received.log"] = out.String(), out.String()
}

// number is the request's number that an audit line has.
func number(line string) string {
	return regexp.MustCompile(`"x-soak-id":"(\d+)"`).FindStringSubmatch(line)[1]
}

const admitted = `"event_type":"auth_success".*"route":"api"`

// doctors each do one thing to the logs, and say what the checker must call it.
var doctors = []struct {
	name, found string
	doctor      func(l *logs)
}{
	{"an event is removed", "chain: lines are missing or out of order", func(l *logs) {
		l.drop("audit.log", l.find("audit.log", admitted))
	}},
	{"an event is removed by whoever has the key", "a request without an audit event", func(l *logs) {
		l.drop("audit.log", l.find("audit.log", admitted))
		l.chainAnew()
	}},
	{"an event is there twice", "a request was audited twice", func(l *logs) {
		line := l.find("audit.log", admitted)
		l.replace("audit.log", line, line+"\n"+line)
		l.chainAnew()
	}},
	{"an upstream's own event is removed", "an upstream's own event", func(l *logs) {
		l.drop("audit.log", l.find("audit.log", `"event_type":"refund"`))
		l.chainAnew()
	}},
	{"an event names another caller", "an event's user_id", func(l *logs) {
		line := l.find("audit.log", admitted)
		l.replace("audit.log", line, regexp.MustCompile(`"user_id":"[^"]+"`).ReplaceAllString(line, `"user_id":"mallory"`))
		l.chainAnew()
	}},
	{"an event gives another reason", "an event's reason", func(l *logs) {
		line := l.find("audit.log", `"reason":"human_required"`)
		l.replace("audit.log", line, strings.Replace(line, "human_required", "claim_required", 1))
		l.chainAnew()
	}},
	{"a caller is admitted with a token for another audience", "a verdict is wrong", func(l *logs) {
		bad := l.find("audit.log", `"reason":"invalid_audience"`)
		token := strings.Split(l.find("requests.tsv", `^`+number(bad)+`\t`), "\t")[1]
		line := l.find("requests.tsv", `^`+number(l.find("audit.log", admitted))+`\t`)
		fields := strings.Split(line, "\t")
		fields[1] = token
		l.replace("requests.tsv", line, strings.Join(fields, "\t"))
	}},
	{"a good token is refused in all logs alike", "a verdict is wrong", func(l *logs) {
		line := l.find("audit.log", admitted)
		id := number(line)
		sent := l.find("requests.tsv", `^`+id+`\t`)
		seen := l.find("access.log", `^v\d+\t`+id+`\t`)
		fields := strings.Split(seen, "\t")
		fields[3], fields[4], fields[6] = "401", "gatehouse_invalid_signature", "-"
		l.replace("access.log", seen, strings.Join(fields, "\t"))
		fields = strings.Split(sent, "\t")
		fields[5] = "401"
		l.replace("requests.tsv", sent, strings.Join(fields, "\t"))
		with := strings.Replace(line, "auth_success", "auth_failure", 1)
		with = strings.Replace(with, `"reason":null`, `"reason":"invalid_signature"`, 1)
		l.replace("audit.log", line, strings.Replace(with, `"status_code":200`, `"status_code":401`, 1))
		l.chainAnew()
	}},
	{"an access log line is removed", "an event of a request that the access log lacks", func(l *logs) {
		l.drop("access.log", l.find("access.log", `\t/api/orders/\d+$`))
	}},
	{"a client got another status", "the client's status and the access log's differ", func(l *logs) {
		line := l.find("requests.tsv", `\tGET\t/api/orders/\d+\t\t200\t`)
		l.replace("requests.tsv", line, strings.Replace(line, "\t200\t", "\t201\t", 1))
	}},
	{"a limit is smaller by one", "a window was exceeded", func(l *logs) { l.quota(`"max_requests": 15`, `"max_requests": 14`) }},
	{"a limit is larger by one", "a refusal that no window needed", func(l *logs) { l.quota(`"max_requests": 15`, `"max_requests": 16`) }},
	{"a window is shorter", "a refusal that no window needed", func(l *logs) { l.quota(`"window_seconds": 3600`, `"window_seconds": 1`) }},
	{"a client is told to come back at once", "Retry-After is too short", func(l *logs) {
		line := l.find("requests.tsv", `\t/quota/x\t.*\t429\t.*\t\d{4}\t\t\d+\t\d+$`)
		l.replace("requests.tsv", line, regexp.MustCompile(`\t\d{4}\t\t(\d+\t\d+)$`).ReplaceAllString(line, "\t1\t\t$1"))
	}},
	{"the end of a stream is lost", "receiver: lines are missing at the end of a stream", func(l *logs) {
		text := strings.TrimSuffix(l.text("received.log"), "\n")
		l.drop("received.log", text[strings.LastIndexByte(text, '\n')+1:])
	}},
	{"a mac is wrong", "chain: the mac is wrong", func(l *logs) {
		line := l.find("audit.log", admitted)
		digit := line[len(line)-10]
		l.replace("audit.log", line, line[:len(line)-10]+string('0'+(digit-'0'+1)%8)+line[len(line)-9:])
	}},
	{"a line is changed", "chain: the mac is wrong", func(l *logs) {
		line := l.find("audit.log", admitted)
		l.replace("audit.log", line, strings.Replace(line, `"method":"`, `"method":"X`, 1))
	}},
	{"a line is stored changed", "receiver: another line than the file's", func(l *logs) {
		line := l.find("received.log", admitted)
		digit := regexp.MustCompile(`"mac":"..`).FindString(line)
		l.changed["received.log"] = strings.ReplaceAll(l.text("received.log"), line, strings.Replace(line, digit, `"mac":"zz`, 1))
		l.changed["received.log"] = strings.ReplaceAll(l.text("received.log"), `"mac":"zz`, `"mac":"00`)
	}},
	{"the receiver loses a line", "receiver: lines are missing that no audit_gap tells", func(l *logs) {
		l.drop("received.log", l.find("received.log", admitted))
	}},
}

// quota changes the limit of that name in all versions of the configuration.
func (l *logs) quota(old, with string) {
	names, err := filepath.Glob(filepath.Join(l.dir, "config-*.json"))
	require.NoError(l.t, err)
	for _, name := range names {
		name = filepath.Base(name)
		text := regexp.MustCompile(`\{[^{}]*"name": "quota",\s*"window_seconds"[^{}]*\}`).FindString(l.text(name))
		require.Contains(l.t, text, old)
		l.replace(name, text, strings.Replace(text, old, with, 1))
	}
}

// TestTheCheckerFindsWhatIsWrong gives the checker the logs of a short run, in which all is well,
// and then the same logs with one thing changed.
func TestTheCheckerFindsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	run(t, plan{duration: 8 * time.Second, rate: 400, seed: 5, callers: 300, dir: dir, least: 2500})
	report, err := check(t, dir)
	require.NoError(t, err, "%s", report)
	doctored := doctors
	for _, metric := range []string{
		"requests_total", "callers_total", "tokens_validated_total", "tokens_failed_total", "token_cache_total",
		"rate_limit_decisions_total", "audit_events_total", "audit_dropped_total", "validation_duration_us_count",
	} {
		doctored = append(doctored, struct {
			name, found string
			doctor      func(l *logs)
		}{metric + " is off by one", "a counter is off", func(l *logs) {
			line := l.find("metrics.txt", `^gatehouse_`+metric+`\{.*`)
			var n int
			value := line[strings.LastIndexByte(line, ' ')+1:]
			_, err := fmt.Sscan(value, &n)
			require.NoError(t, err)
			l.replace("metrics.txt", line, fmt.Sprint(strings.TrimSuffix(line, value), n+1))
		}})
	}
	for _, d := range doctored {
		t.Run(d.name, func(t *testing.T) {
			l := &logs{t: t, dir: dir, changed: map[string]string{}}
			d.doctor(l)
			report, err := check(t, l.write())
			assert.Error(t, err, "the checker found nothing")
			assert.Contains(t, report, d.found)
			assert.NotContains(t, report, "Traceback")
		})
	}
}

// write makes a folder of the changed files and the others.
func (l *logs) write() string {
	dir := l.t.TempDir()
	files, err := os.ReadDir(l.dir)
	require.NoError(l.t, err)
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		if text, ok := l.changed[file.Name()]; ok {
			require.NoError(l.t, os.WriteFile(path, []byte(text), 0o600))
		} else {
			require.NoError(l.t, os.Symlink(filepath.Join(l.dir, file.Name()), path))
		}
	}
	return dir
}
