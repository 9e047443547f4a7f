package ratelimit_test

import (
	"testing"

	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

func TestMemoryStoreKeepsTheContract(t *testing.T) {
	ratelimittest.TestStore(t, func(*testing.T) func() ratelimit.Store {
		store := ratelimit.NewMemoryStore()
		return func() ratelimit.Store { return store }
	})
}

func TestSharedKeepsTheContract(t *testing.T) {
	ratelimittest.TestStore(t, func(*testing.T) func() ratelimit.Store {
		return ratelimittest.NewShared().Worker
	})
}

// A store that loses some writes for no reason still keeps the contract: its users try again.
func TestFaultsLeaveTheContractIntact(t *testing.T) {
	ratelimittest.TestStore(t, func(*testing.T) func() ratelimit.Store {
		store := ratelimit.NewMemoryStore()
		return func() ratelimit.Store { return &ratelimittest.Faults{Store: store} }
	})
}
