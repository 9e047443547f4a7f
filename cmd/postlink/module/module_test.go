package module_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"pgregory.net/rapid"

	"gatehouse/cmd/postlink/module"
)

const header = "\x00asm\x01\x00\x00\x00"

func TestCodeSizeIsThatOfTheCodeSection(t *testing.T) {
	size, err := module.CodeSize([]byte(header + "\x01\x02ab" + "\x0a\x03xyz" + "\x00\x02\x01n"))
	require.NoError(t, err)
	assert.Equal(t, 3, size)
}

func TestWhatIsNoModuleIsRefused(t *testing.T) {
	for _, bytes := range []string{"", "\x00asm", "ELF.....", "\x00asm\x02\x00\x00\x00", header + "\x01", header + "\x01\x05a"} {
		_, err := module.CodeSize([]byte(bytes))
		require.ErrorIs(t, err, module.ErrFormat, "%q", bytes)
		_, err = module.WithCustom([]byte(bytes), "n", nil)
		require.ErrorIs(t, err, module.ErrFormat, "%q", bytes)
	}
	for _, bytes := range []string{header + "\x00\x00", header + "\x00\x02\x05n"} {
		_, _, err := module.Custom([]byte(bytes), "n")
		require.ErrorIs(t, err, module.ErrFormat, "%q: a custom section has a name", bytes)
	}
}

func TestASecondSectionOfTheSameNameIsRefused(t *testing.T) {
	once, err := module.WithCustom([]byte(header), "n", []byte("1"))
	require.NoError(t, err)
	_, err = module.WithCustom(once, "n", []byte("2"))
	require.EqualError(t, err, `the module has a custom section "n" already`)
	_, _, err = module.Custom(append(once, once[len(header):]...), "n")
	require.EqualError(t, err, `two custom sections are named "n"`)
}

// wazero reads the same sections, written by nobody of ours.
func TestACustomSectionIsWhatAnotherRuntimeReads(t *testing.T) {
	runtime := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter().WithCustomSections(true))
	defer func() { _ = runtime.Close(t.Context()) }()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z.]{1,300}`).Draw(t, "name")
		content := rapid.SliceOfN(rapid.Byte(), 1, 20_000).Draw(t, "content") // wazero fails on an empty one
		if strings.TrimSpace(name) == "name" {
			t.Skip("the name section is not a section of bytes")
		}
		out, err := module.WithCustom([]byte(header), name, content)
		require.NoError(t, err)
		compiled, err := runtime.CompileModule(t.Context(), out)
		require.NoError(t, err)
		require.Len(t, compiled.CustomSections(), 1)
		assert.Equal(t, name, compiled.CustomSections()[0].Name())
		assert.Equal(t, content, append([]byte{}, compiled.CustomSections()[0].Data()...))
		own, found, err := module.Custom(out, name)
		require.NoError(t, err)
		assert.True(t, found)
		assert.Equal(t, content, append([]byte{}, own...))
	})
}
