// Command retryable makes three requests with go-retryablehttp, which obeys Retry-After. The third
// one meets the limit first.
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/hashicorp/go-retryablehttp"
)

func main() {
	client := retryablehttp.NewClient()
	client.RetryMax = 1
	client.Logger = nil
	for range 3 {
		request, err := retryablehttp.NewRequest(http.MethodGet, os.Getenv("URL"), nil)
		if err != nil {
			fail(err)
		}
		request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
		response, err := client.Do(request)
		if err != nil {
			fail(err)
		}
		_ = response.Body.Close()
		fmt.Println(response.StatusCode)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
