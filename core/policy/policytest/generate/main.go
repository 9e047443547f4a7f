// Command generate writes the corpus of spellings.
package main

import (
	"log"
	"os"

	"gatehouse/core/policy/policytest"
)

func main() {
	if err := os.WriteFile("spellings.txt", policytest.Write(policytest.Generate()), 0o644); err != nil {
		log.Fatal(err)
	}
}
