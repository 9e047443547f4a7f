package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"

	"gatehouse/core/metrics"
)

var (
	anyBlock   = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	// separators stand between commands in a line of shell.
	separators = regexp.MustCompile(`\|\||&&|[|;&()]|\$\(`)
	assignment = regexp.MustCompile(`^[A-Z_]+=\S*$`)
)

// commandsIn returns the commands of shell blocks and code spans that begin with a word, such as
// "make", each as its words. In spans, "a|b" stands for either.
func commandsIn(text string, isIt func(word string) bool) (commands [][]string) {
	add := func(line string) {
		words := strings.Fields(line)
		for len(words) > 0 && (words[0] == "$" || words[0] == "exec" || assignment.MatchString(words[0])) {
			words = words[1:]
		}
		if len(words) > 0 && isIt(words[0]) {
			commands = append(commands, words)
		}
	}
	for _, m := range anyBlock.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "", "sh", "bash", "console":
		default:
			continue
		}
		script := strings.ReplaceAll(m[2], "\\\n", " ")
		for line := range strings.Lines(script) {
			line, _, _ = strings.Cut(line, " #")
			for _, part := range separators.Split(line, -1) {
				add(strings.Trim(part, " \n'\""))
			}
		}
	}
	for _, m := range inlineCode.FindAllStringSubmatch(anyBlock.ReplaceAllString(text, ""), -1) {
		for _, part := range strings.Split(m[1], " | ") {
			add(part)
		}
	}
	return commands
}

func isGatehouse(word string) bool { return filepath.Base(word) == "gatehouse" }

// subcommandOf follows the words that name subcommands. It returns the rest.
func subcommandOf(root *cobra.Command, words []string) (*cobra.Command, []string) {
	for len(words) > 0 {
		next := root
		for _, c := range root.Commands() {
			if c.Name() == words[0] {
				next = c
			}
		}
		if next == root {
			break
		}
		root, words = next, words[1:]
	}
	return root, words
}

// Commands `gatehouse …` in the documentation name subcommands and flags that exist.
func TestCommandsInTheDocumentationExist(t *testing.T) {
	found, flags := 0, 0
	check := func(page string, words []string) {
		command, rest := subcommandOf(newRoot(), words)
		if len(rest) > 0 && command.HasSubCommands() && !strings.HasPrefix(rest[0], "-") && rest[0] != "…" {
			assert.Fail(t, "no such command", "%s: gatehouse %s", page, strings.Join(words, " "))
		}
		for _, word := range rest {
			if name, isFlag := strings.CutPrefix(strings.Trim(word, "[]…."), "--"); isFlag && name != "help" {
				flags++
				name, _, _ = strings.Cut(name, "=")
				assert.NotNil(t, command.Flags().Lookup(name), "%s: gatehouse %s: --%s", page, strings.Join(words, " "), name)
			}
		}
		found++
	}
	for _, page := range pages(t) {
		for _, words := range commandsIn(read(t, page), isGatehouse) {
			for i, word := range words { // token inspect|verify
				if strings.Contains(word, "|") && !strings.HasPrefix(word, "--") {
					for alternative := range strings.SplitSeq(word, "|") {
						check(page, append(append([]string{}, words[1:i]...), alternative))
					}
					words = nil
					break
				}
			}
			if len(words) > 0 {
				check(page, words[1:])
			}
		}
	}
	assert.Greater(t, found, 30)
	assert.Greater(t, flags, 15)
}

func TestMakeCommandsInTheDocumentationExist(t *testing.T) {
	makefile := read(t, filepath.Join(root, "Makefile"))
	found := 0
	for _, page := range pages(t) {
		for _, words := range commandsIn(read(t, page), func(word string) bool { return word == "make" }) {
			for _, word := range words[1:] {
				word = strings.Trim(word, "…")
				if variable, _, given := strings.Cut(word, "="); given {
					assert.Regexp(t, `(?m)\$\(`+variable+`\)|\$\(if \$\(`+variable+`\)|^`+variable+` *\?=`, makefile, "%s: %s", page, words)
				} else if word != "" {
					assert.Regexp(t, `(?m)^`+regexp.QuoteMeta(word)+`:`, makefile, "%s: %s", page, words)
				}
				found++
			}
		}
	}
	assert.Greater(t, found, 10)
}

var metricName = regexp.MustCompile(`\bgatehouse_[a-z_]+_(?:total|us|seconds|hash|info|events)(_bucket|_count|_sum)?\b`)

func TestMetricsInTheDocumentationExist(t *testing.T) {
	known := map[string]bool{}
	table := metrics.NewTable(metrics.Envoy, metrics.Labels{Routes: []string{"r"}, PerRoute: true, Rules: []string{"l"}, Providers: []string{"p"}})
	for i := range table.Len() {
		known[table.Def(i).Name] = true
	}
	for _, page := range pages(t) {
		for _, m := range metricName.FindAllStringSubmatch(read(t, page), -1) {
			assert.Contains(t, known, strings.TrimSuffix(m[0], m[1]), page)
		}
	}
}

func TestCommandsAreFoundInBlocksAndSpans(t *testing.T) {
	page := "Run `make run ENVOY=1`, `gatehouse token inspect|verify` or `dist/gatehouse check FILE | head`.\n\n" +
		"```sh\nX=1 gatehouse render --config a.yaml \\\n  --as json | kubectl apply -f -   # gatehouse nonsense\nmake build && gatehouse version\n```\n\n" +
		"```console\n$ gatehouse explain --event < event.json\n{}\n```\n\n```yaml\ngatehouse none\n```\n\ngatehouse is a gate.\n\n```\ngatehouse ui\n```\n"
	var gatehouse []string
	for _, words := range commandsIn(page, isGatehouse) {
		gatehouse = append(gatehouse, strings.Join(words[1:], " "))
	}
	assert.Equal(t, []string{
		"render --config a.yaml --as json", "version", "explain --event < event.json", "ui", "token inspect|verify", "check FILE",
	}, gatehouse)
	assert.Equal(t, [][]string{{"make", "build"}, {"make", "run", "ENVOY=1"}}, commandsIn(page, func(word string) bool { return word == "make" }))
}
