package rawhttp

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswersAreReadOneByOne(t *testing.T) {
	in := bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\nHTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n"))
	for _, want := range []int{200, 429} {
		status, err := ReadAnswer(in)
		require.NoError(t, err)
		require.Equal(t, want, status)
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	for _, text := range []string{"", "\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"} {
		_, err := ReadAnswer(bufio.NewReader(strings.NewReader(text)))
		require.Error(t, err, "%q", text)
	}
}
