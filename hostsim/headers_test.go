package hostsim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"gatehouse/hostsim"
)

func TestHeadersKeepOrderAndPutPseudoHeadersFirst(t *testing.T) {
	h := hostsim.H("X-B", "1", "x-a", "2", ":path", "/", "x-b", "3", ":method", "GET")
	var names []string
	for _, f := range h.All() {
		names = append(names, f.Name+"="+f.Value)
	}
	assert.Equal(t, ":path=/ :method=GET x-b=1 x-a=2 x-b=3", strings.Join(names, " "))
	assert.Equal(t, "1", h.Get("X-b"))
	assert.Equal(t, []string{"1", "3"}, h.Values("x-B"))
	h.Set("x-B", "4")
	assert.Equal(t, []string{"4"}, h.Values("x-b"))
	assert.Equal(t, 4, h.Len())
	h.Del("X-A")
	_, ok := h.Lookup("x-a")
	assert.False(t, ok)
	assert.Equal(t, len(":path/:methodGETx-b4"), h.ByteSize())
	assert.Panics(t, func() { hostsim.H(strings.Fields("odd")...) })
}

func TestANilHeaderMapIsEmpty(t *testing.T) {
	var h *hostsim.Headers
	assert.Zero(t, h.Len())
	assert.Zero(t, h.ByteSize())
	assert.Empty(t, h.Get("host"))
	assert.Nil(t, h.Clone())
}

func TestACloneIsIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := hostsim.H(rapid.SliceOfN(rapid.String(), 6, 6).Draw(t, "fields")...)
		before := h.Len()
		c := h.Clone()
		c.Add("x-more", "1")
		c.Set(h.All()[0].Name, "changed")
		if h.Len() != before || h.Get("x-more") == "1" && h.All()[0].Name != "x-more" {
			t.Fatal("the original changed")
		}
	})
}
