package child_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/child"
)

const parentEnv = "GATEHOUSE_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentEnv) != "" {
		parent()
	}
	os.Exit(m.Run())
}

// parent has a child that would outlive it, with the same standard output.
func parent() {
	cmd := exec.Command("sleep", "600")
	cmd.Stdout = os.Stdout
	if err := child.Start(cmd, syscall.SIGKILL, func() {}); err != nil {
		panic(err)
	}
	fmt.Println("started")
	select {}
}

func TestTheEndOfAProgramIsTold(t *testing.T) {
	ended := make(chan struct{})
	cmd := exec.Command("sh", "-c", "exit 3")
	require.NoError(t, child.Start(cmd, syscall.SIGKILL, func() { close(ended) }))
	<-ended
	assert.Equal(t, 3, cmd.ProcessState.ExitCode())
}

func TestAProgramThatIsNotThereDoesNotStart(t *testing.T) {
	err := child.Start(exec.Command("/no/such/program"), syscall.SIGKILL, func() { t.Error("it ended") })
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAProgramLeadsAGroupOfItsOwn(t *testing.T) {
	ended := make(chan struct{})
	cmd := exec.Command("sleep", "600")
	require.NoError(t, child.Start(cmd, syscall.SIGKILL, func() { close(ended) }))
	group, err := syscall.Getpgid(cmd.Process.Pid)
	assert.NoError(t, err)
	assert.Equal(t, cmd.Process.Pid, group)
	assert.NoError(t, cmd.Process.Kill())
	<-ended
}
