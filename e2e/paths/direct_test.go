package paths_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/policy"
	"gatehouse/core/policy/policytest"
)

// patience bounds each exchange. It is generous because CI machines are slow.
const patience = 60 * time.Second

// TestNoRealServerServesAProtectedResourceThatTheRoutesLeaveOpen asks each server for each spelling
// itself. What it answers with the protected resource must not match the open route, whatever
// unsafe_paths and path_case are.
func TestNoRealServerServesAProtectedResourceThatTheRoutesLeaveOpen(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			served := servedBy(t, s.start(t), policytest.Spellings())
			t.Logf("%d of %d spellings get the protected resource", len(served), len(policytest.Spellings()))
			require.Contains(t, served, policytest.Resource+"?")
			assert.Greater(t, len(served), 10)
			for name, rules := range allRules(t) {
				if s.ignoresCase && !rules.IgnoreCase {
					continue
				}
				for _, spelling := range served {
					assert.NotEqual(t, open, verdict(t, rules, spelling), "%s: %q gets around the routes", name, spelling)
				}
			}
		})
	}
}

const (
	open      = "open"
	protected = "protected"
	refused   = "refused"
)

// verdict is what the routes /admin/** and, behind it, /** make of a target.
func verdict(t *testing.T, rules policy.PathRules, target string) string {
	t.Helper()
	tree, err := policy.ParsePattern("/" + policytest.Protected + "/**")
	require.NoError(t, err)
	path, others, safe := rules.Read(target)
	if !safe {
		return refused
	}
	matches := 0
	for _, p := range append(others, path) {
		if tree.Match(p) {
			matches++
		}
	}
	switch matches {
	case 0:
		return open
	case len(others) + 1:
		return protected
	}
	return refused
}

// allRules are the configurations of unsafe_paths and path_case: each kind, none and all.
func allRules(t *testing.T) map[string]policy.PathRules {
	t.Helper()
	all := map[string]policy.PathRules{}
	for allow := range int(policy.AllPathKinds) + 1 {
		name := "kinds " + strconv.FormatInt(int64(allow), 2)
		all[name] = policy.PathRules{Allow: policy.PathKinds(allow)}
		all[name+", case ignored"] = policy.PathRules{Allow: policy.PathKinds(allow), IgnoreCase: true}
	}
	return all
}

// servedBy returns the spellings for which a server answers with the protected resource.
func servedBy(t *testing.T, address string, spellings []string) (served []string) {
	t.Helper()
	serves := make([]bool, len(spellings))
	const parallel = 4
	var asking sync.WaitGroup
	for n := range parallel {
		asking.Go(func() {
			for i := n; i < len(spellings); i += parallel {
				answer, err := ask(address, spellings[i], "host: gate")
				assert.NoError(t, err, "%q", spellings[i])
				serves[i] = strings.Contains(answer, secret)
			}
		})
	}
	asking.Wait()
	for i, s := range spellings {
		if serves[i] {
			served = append(served, s)
		}
	}
	return served
}

// ask sends a request whose target stands as it is, and returns the whole answer; "" if the server
// closed the connection.
func ask(address, target string, headers ...string) (answer string, err error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	request := "GET " + target + " HTTP/1.1\r\nconnection: close\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
	_, _ = connection.Write([]byte(request)) // the server may have closed already
	var text bytes.Buffer
	_, err = io.Copy(&text, bufio.NewReader(connection))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", err
	}
	return text.String(), nil
}
