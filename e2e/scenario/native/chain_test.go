package native_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/scenario"
	"gatehouse/e2e/scenario/native"
)

func TestABrokenChainIsAProblem(t *testing.T) {
	issuer, err := toy.StartIssuer("", scenario.IssuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	for _, s := range load(t) {
		if s.Name != "audit.chain chains every line" {
			continue
		}
		for name, change := range map[string]func(lines []string){
			"nothing":        func([]string) {},
			"the event":      func(l []string) { l[0] = strings.Replace(l[0], `"ip_address":"`, `"ip_address":"1`, 1) },
			"the key's name": func(l []string) { l[1] = strings.Replace(l[1], `"key_id":"2`, `"key_id":2"`, 1) },
			"seq":            func(l []string) { l[1] = strings.Replace(l[1], `"seq":1`, `"seq":2`, 1) },
			"the mac":        func(l []string) { l[1] = l[1][:len(l[1])-4] + "x" + l[1][len(l[1])-3:] },
			"the order":      func(l []string) { l[0], l[1] = l[1], l[0] },
		} {
			t.Run(name, func(t *testing.T) {
				o, err := native.Run(s, issuer)
				require.NoError(t, err)
				change(o.Exchanges[0][0].Audit)
				problems := strings.Join(s.Check(scenario.Core, o), "\n")
				assert.Equal(t, name != "nothing", strings.Contains(problems, "chain: "), problems)
			})
		}
		return
	}
	t.Fatal("no scenario")
}
