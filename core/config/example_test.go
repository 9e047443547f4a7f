package config_test

import (
	"fmt"

	"gatehouse/core/config"
)

func ExampleParse() {
	cfg, err := config.Parse([]byte(`{
		"routes": [{"path": "/**", "auth": "none", "rate_limits": ["per-address"]}],
		"rate_limits": [{
			"name": "per-address", "max_requests": 100, "window_seconds": 60, "identifier": ["ip"]
		}]
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(cfg.Routes), cfg.Limits[0].Name, cfg.Limits[0].Windows[0].Max)
	// Output: 1 per-address 100
}

// The error has a line for each problem in the document.
func ExampleParse_problems() {
	_, err := config.Parse([]byte(`{
		"mode": "dry_run",
		"routes": [{"path": "/health", "auth": "none"}, {"path": "orders", "auth": "none"}]
	}`), nil)
	fmt.Println(err)
	// Output:
	// mode: want "enforce" or "observe", got "dry_run"
	// routes[1].path: want a path that begins with '/', got "orders"
}
