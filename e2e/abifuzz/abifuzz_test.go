package abifuzz

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
	"gatehouse/hostsim/hostsimtest"
)

// fixtures are the hosts of a process: one whose host calls all succeed, one whose host calls may
// fail, and one with another filter's claims.
type fixtures struct{ sound, faulty, foreign *fixture }

func start(tb testing.TB) fixtures {
	tb.Helper()
	issuer, err := toy.StartIssuer("", issuerName)
	require.NoError(tb, err)
	tb.Cleanup(issuer.Stop)
	module := hostsimtest.Module(tb, "../..", "./filter")
	open := func(foreign bool) *fixture {
		f, err := newFixture(context.Background(), module, issuer, foreign)
		require.NoError(tb, err)
		tb.Cleanup(f.host.Close)
		return f
	}
	return fixtures{open(false), open(false), open(true)}
}

// run plays a sequence. Its first byte chooses the host.
func (f fixtures) run(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	switch data[0] % 4 {
	case 0:
		f.faulty.faulty = false
		return f.faulty.run(data[1:], true, false)
	case 1:
		return f.foreign.run(data[1:], false, true)
	}
	return f.sound.run(data[1:], false, false)
}

// FuzzSequences looks for a sequence of what a proxy does (streams that begin, go on and end in any
// order, any headers and metadata, time that passes, host calls that fail) after which the VM has
// trapped, or in which the filter gives a verdict that core does not give.
func FuzzSequences(f *testing.F) {
	hosts := start(f)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		f.Add(randomSequence(random))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			t.Skip()
		}
		require.NoError(t, hosts.run(data))
	})
}

func randomSequence(random *rand.Rand) []byte {
	data := make([]byte, 1+random.IntN(140))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// TestManySequences is the long run. ABI_SEQUENCES says how many, ABI_SEED where they begin.
func TestManySequences(t *testing.T) {
	count, err := strconv.Atoi(os.Getenv("ABI_SEQUENCES"))
	if err != nil {
		t.Skip("ABI_SEQUENCES is no number: make fuzz-abi sets it")
	}
	seed, _ := strconv.ParseUint(os.Getenv("ABI_SEED"), 10, 64)
	hosts := start(t)
	random := rand.New(rand.NewPCG(seed, 1))
	began := time.Now()
	for i := range count {
		data := randomSequence(random)
		if err := hosts.run(data); err != nil {
			t.Fatalf("sequence %d of seed %d, %x: %v", i, seed, data, err)
		}
	}
	t.Logf("%d sequences in %s", count, time.Since(began).Round(time.Second))
	for name, f := range map[string]*fixture{"sound": hosts.sound, "faulty": hosts.faulty, "foreign": hosts.foreign} {
		t.Logf("%s host: %v", name, f.counts)
	}
}
