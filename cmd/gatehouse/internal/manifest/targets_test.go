package manifest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAPolicyThatTakesTheGatesPlaceIsAWarning(t *testing.T) {
	gate := func(targets string) string {
		return strings.NewReplacer("{name: policy}", "{name: policy, namespace: shop}", "spec:\n", "spec:\n  "+targets+"\n").Replace(gateway)
	}
	policy := func(spec string) string {
		return "---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {name: other, namespace: shop}\nspec: {" + spec + "}\n"
	}
	route := func(parent string) string {
		return "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: shop}\nspec: {parentRefs: [{" + parent + "}]}\n"
	}
	const (
		eg       = "targetRefs: [{kind: Gateway, name: eg}]"
		listener = "targetRefs: [{kind: Gateway, name: eg, sectionName: http}]"
		onRoute  = "targetRefs: [{kind: HTTPRoute, name: r}]"
		lua      = "lua: [{type: Inline, inline: x}]"
		another  = "wasm: [{name: coraza, config: {}}]"
		ours     = "wasm: [{name: gatehouse, config: {routes: []}}]"
	)
	passes := func(target string) []string {
		return []string{"EnvoyExtensionPolicy shop/other takes the gate's place on " + target + ", whose requests pass unchecked: put the gate into its spec.wasm too"}
	}
	for name, test := range map[string]struct {
		text     string
		warnings []string
	}{
		"alone":                                   {gate(eg), nil},
		"on a route":                              {gate(eg) + policy(onRoute+", "+lua), passes("HTTPRoute shop/r")},
		"on a route, in a List":                   {"apiVersion: v1\nkind: List\nitems:\n-" + indented("  ", gate(eg))[1:] + "-" + indented("  ", strings.TrimPrefix(policy(onRoute+", "+lua), "---\n"))[1:], passes("HTTPRoute shop/r")},
		"on a gRPC route, by targetRef":           {gate(eg) + policy("targetRef: {kind: GRPCRoute, name: r}, "+another), passes("GRPCRoute shop/r")},
		"on a rule of a route":                    {gate(onRoute) + policy("targetRefs: [{kind: HTTPRoute, name: r, sectionName: one}], "+lua), passes("HTTPRoute shop/r, section one")},
		"on a listener of the Gateway":            {gate(eg) + policy(listener+", "+lua), passes("Gateway shop/eg, section http")},
		"on two targets":                          {gate(eg) + policy("targetRefs: [{kind: HTTPRoute, name: r}, {kind: HTTPRoute, name: s}], "+lua), append(passes("HTTPRoute shop/r"), passes("HTTPRoute shop/s")...)},
		"with a gate of its own":                  {gate(eg) + policy(onRoute+", "+another[:len(another)-1]+", "+ours[len("wasm: ["):]), nil},
		"merged":                                  {gate(eg) + policy(onRoute+", mergeType: StrategicMerge, "+lua), nil},
		"merged, with plugins of its own":         {gate(eg) + policy(onRoute+", mergeType: StrategicMerge, "+another), passes("HTTPRoute shop/r")},
		"on a route of the Gateway":               {gate(eg) + policy(onRoute+", "+lua) + route("name: eg"), passes("HTTPRoute shop/r")},
		"on a route of the Gateway elsewhere":     {gate(eg) + policy(onRoute+", "+lua) + route("name: eg, namespace: other"), nil},
		"on a route of another Gateway":           {gate(eg) + policy(onRoute+", "+lua) + route("name: other"), nil},
		"on a route of the gate's listener":       {gate(listener) + policy(onRoute+", "+lua) + route("name: eg, sectionName: http"), passes("HTTPRoute shop/r")},
		"on a route of another listener":          {gate(listener) + policy(onRoute+", "+lua) + route("name: eg, sectionName: https"), nil},
		"on a listener, the gate on another":      {gate(listener) + policy("targetRefs: [{kind: Gateway, name: eg, sectionName: https}], "+lua), nil},
		"on the whole Gateway, less than a route": {gate(onRoute) + policy(eg+", "+lua), nil},
		"on another Gateway's listener":           {gate(eg) + policy("targetRefs: [{kind: Gateway, name: x, sectionName: http}], "+lua), nil},
	} {
		t.Run(name, func(t *testing.T) {
			plugins, err := Read([]byte(test.text))
			assert.NoError(t, err)
			assert.Equal(t, test.warnings, texts(plugins[0].Warnings))
			for _, w := range plugins[0].Warnings {
				assert.NotZero(t, w.Place)
			}
		})
	}
}

func TestHTTP3OnAGatewayIsAWarning(t *testing.T) {
	file := func(gate, policy string) string {
		return strings.Replace(gateway, "spec:\n", "spec:\n  "+gate+"\n", 1) +
			"---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: ClientTrafficPolicy\nmetadata: {name: c}\nspec: {" + policy + "}\n" +
			"---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {parentRefs: [{name: eg}]}\n"
	}
	const (
		eg      = "targetRefs: [{kind: Gateway, name: eg}]"
		http    = "targetRefs: [{kind: Gateway, name: eg, sectionName: http}]"
		https   = "targetRefs: [{kind: Gateway, name: eg, sectionName: https}]"
		other   = "targetRefs: [{kind: Gateway, name: other}]"
		route   = "targetRefs: [{kind: HTTPRoute, name: r}]"
		labels  = "targetSelectors: [{kind: Gateway, matchLabels: {a: b}}]"
		enabled = ", http3: {}"
	)
	for name, test := range map[string]struct {
		gate, policy string
		warned       bool
	}{
		"on the Gateway": {eg, eg + enabled, true}, "on a listener of it": {eg, https + enabled, true}, "on all of its listeners": {http, eg + enabled, true},
		"on the gate's listener": {http, http + enabled, true}, "on another listener": {http, https + enabled, false}, "on another Gateway": {eg, other + enabled, false},
		"on the Gateway of the route": {route, eg + enabled, true}, "on another Gateway than the route's": {route, other + enabled, false},
		"on Gateways with a label": {eg, labels + enabled, true}, "without HTTP/3": {eg, eg + ", http1: {}", false},
	} {
		t.Run(name, func(t *testing.T) {
			warnings := read(t, file(test.gate, test.policy)).Warnings
			if !test.warned {
				assert.Empty(t, warnings)
				return
			}
			assert.Len(t, warnings, 1)
			assert.True(t, strings.HasPrefix(warnings[0].String(), "ClientTrafficPolicy c spec.http3: Envoy 1.40 asks no filter for its event"), warnings[0])
			assert.NotZero(t, warnings[0].Place)
		})
	}
}
