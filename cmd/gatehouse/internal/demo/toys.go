package demo

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"syscall"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// toys are what stands behind the clusters of a configuration.
type toys struct {
	configured map[string]string // "host:port" by cluster
	at         map[string]string // where each cluster is served, by cluster
	without    []string
	stops      []func()
}

const (
	whatIssuer   = "a toy issuer"
	whatUpstream = "a toy upstream, which answers with the request that it got"
	whatCommand  = "the command's own"
)

// what says in words what serves a cluster.
func (t *toys) what(cluster string) string {
	switch {
	case slices.Contains(t.without, cluster):
		return whatCommand
	case strings.HasPrefix(cluster, "idp"):
		return whatIssuer
	default:
		return whatUpstream
	}
}

// startToys starts a toy for each cluster of a configuration: at free ports for a command, else at
// those of the configuration. The result can be stopped in any case.
func startToys(b envoy.Bootstrap, o EnvoyOptions) (*toys, error) {
	t := &toys{at: map[string]string{}, without: o.Without}
	var err error
	if t.configured, err = b.Clusters(); err != nil {
		return t, err
	}
	for _, cluster := range o.Without {
		if _, ok := t.configured[cluster]; !ok {
			return t, fmt.Errorf("--without: the configuration has no cluster %q", cluster)
		}
	}
	if len(o.Command) == 0 {
		if err := t.needPorts(b); err != nil {
			return t, err
		}
	}
	for _, cluster := range slices.Sorted(maps.Keys(t.configured)) {
		address := t.configured[cluster]
		if len(o.Command) > 0 {
			address = ""
		}
		if t.at[cluster], err = t.start(cluster, address); err != nil {
			return t, err
		}
	}
	return t, nil
}

// needPorts makes sure that nothing else holds the ports of the configuration.
func (t *toys) needPorts(b envoy.Bootstrap) error {
	listeners, err := b.Addresses()
	if err != nil {
		return err
	}
	var needed []need
	for name, address := range listeners {
		use := "the listener " + name
		if name == "" {
			use = "Envoy's admin interface"
		}
		needed = append(needed, need{address, use})
	}
	for name, address := range t.configured {
		if !slices.Contains(t.without, name) {
			needed = append(needed, need{address, "the cluster " + name})
		}
	}
	return inUse(needed)
}

// start starts the toy of a cluster at an address, or at a free port if it is empty, and returns
// where that is.
func (t *toys) start(cluster, address string) (string, error) {
	switch t.what(cluster) {
	case whatCommand:
		if address != "" {
			return address, nil
		}
		return freeAddress()
	case whatIssuer:
		issuer, err := toy.StartIssuer(address, "")
		if err != nil {
			return "", startError(cluster, err)
		}
		issuer.ServeSigning(audience, lifetime)
		t.stops = append(t.stops, issuer.Stop)
		return issuer.Address(), nil
	default:
		upstream, err := toy.StartUpstream(address)
		if err != nil {
			return "", startError(cluster, err)
		}
		t.stops = append(t.stops, upstream.Stop)
		return upstream.Address(), nil
	}
}

// freeAddress returns an address that nothing listens at.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func startError(cluster string, err error) error {
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("the cluster %s is not of this machine: a toy can't serve it (%w)", cluster, err)
	}
	return fmt.Errorf("the cluster %s: %w", cluster, err)
}

// edits make a configuration lead to the toys, in the issuers' names too.
func (t *toys) edits() []envoy.Edit {
	moved := map[string]string{}
	var edits []envoy.Edit
	for cluster, address := range t.at {
		moved[t.configured[cluster]] = address
		edits = append(edits, envoy.Endpoint(cluster, address))
	}
	return append(edits, envoy.MoveAddresses(moved))
}

func (t *toys) stop() {
	for _, stop := range t.stops {
		stop()
	}
}
