package child_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAProgramDoesNotOutliveUs(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	require.NoError(t, out.SetReadDeadline(time.Now().Add(time.Minute)))
	us := exec.Command(self)
	us.Env = append(os.Environ(), parentEnv+"=1")
	us.Stdout = in
	require.NoError(t, us.Start())
	require.NoError(t, in.Close())
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	assert.NoError(t, err)
	assert.Equal(t, "started\n", line)

	require.NoError(t, us.Process.Kill())
	require.Error(t, us.Wait())
	_, err = said.ReadByte()
	assert.ErrorIs(t, err, io.EOF, "nobody is left who could write")
}
