package envoy

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// AdminAddress returns where the admin API listens, "host:port".
func (p *Process) AdminAddress() string { return p.admin }

// Stats returns counters and gauges by Envoy's own names, such as
// "wasmcustom.gatehouse_tokens_validated_total", as far as they match the regular expression
// filter; empty for all.
func (p *Process) Stats(ctx context.Context, filter string) (map[string]uint64, error) {
	body, err := p.Admin(ctx, http.MethodGet, "/stats?format=json&filter="+url.QueryEscape(filter))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Stats []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	stats := make(map[string]uint64, len(answer.Stats))
	for _, s := range answer.Stats {
		// Text readouts are strings, and histograms an element without a name.
		if n, err := strconv.ParseUint(string(s.Value), 10, 64); err == nil {
			stats[s.Name] = n
		}
	}
	return stats, nil
}

// PrometheusText returns the exposition that Prometheus scrapes.
func (p *Process) PrometheusText(ctx context.Context) (string, error) {
	body, err := p.Admin(ctx, http.MethodGet, "/stats/prometheus")
	return string(body), err
}

// ConfigDump returns the configuration in force, as JSON.
func (p *Process) ConfigDump(ctx context.Context) ([]byte, error) {
	return p.Admin(ctx, http.MethodGet, "/config_dump")
}

// DrainListeners makes Envoy end its listeners gracefully: open requests are answered, keep-alive
// connections told to close.
func (p *Process) DrainListeners(ctx context.Context) error {
	_, err := p.Admin(ctx, http.MethodPost, "/drain_listeners?graceful")
	return err
}

// listeners returns the addresses of all listeners by name.
func (p *Process) listeners(ctx context.Context) (map[string]string, error) {
	body, err := p.Admin(ctx, http.MethodGet, "/listeners?format=json")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Listeners []struct {
			Name    string `json:"name"`
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	addresses := make(map[string]string, len(answer.Listeners))
	for _, l := range answer.Listeners {
		addresses[l.Name] = net.JoinHostPort(l.Address.Socket.Address, strconv.Itoa(l.Address.Socket.Port))
	}
	return addresses, nil
}
