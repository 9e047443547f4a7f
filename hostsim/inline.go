package hostsim

// inlineHeaders are the fields that an Envoy header map keeps once, and what
// joins a further value to the first. Filled from what a real Envoy does with
// the conformance probe.
var inlineHeaders = map[string]string{}
