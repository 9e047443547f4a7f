// Package check holds the tests of the manifests and the Helm chart beside it: against the CRDs
// that Istio, Envoy Gateway and the Gateway API publish, against Kubernetes' own types, and by
// `gatehouse check`. It is a module of its own, so that what these tests need stays out of the main
// one.
package check
