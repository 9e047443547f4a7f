package ratelimit_test

import (
	"fmt"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
)

// Two requests per minute, for the user "alice" of the provider "main".
func Example() {
	const second = 1_000_000_000
	limiter, err := ratelimit.New(ratelimit.NewMemoryStore(), "example/", []ratelimit.Rule{{
		Name:           "per-user",
		Windows:        []ratelimit.Window{{Max: 2, Length: 60 * second}},
		KeyedBy:        "user_id",
		MaxIdentifiers: 1000,
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	hasher := ratelimit.NewHasher([16]byte{}) // in production: a secret key, see SharedKey
	const userID = 1                          // the program's number for this kind of element
	alice := hasher.Sum(ratelimit.AppendElement(nil, userID, "", "main", "alice"))

	var result ratelimit.Result
	for at := clock.Mono(0); at < 30*second; at += 10 * second {
		limiter.Charge(0, alice, 1, at, &result)
		fmt.Println(result.Admitted, result.Windows[0].Remaining, result.Retry/second)
	}

	// A charge can be refunded, for example because another limit refused the request.
	limiter.Charge(0, alice, 1, 60*second, &result)
	limiter.Refund(0, alice, 1, &result, 60*second)
	fmt.Println(result.Windows[0].Remaining)
	// Output:
	// true 1 0
	// true 0 0
	// false 0 40
	// 1
}
