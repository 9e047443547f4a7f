package auditlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxLineBytes bounds a line. A longer one is given to the reader cut off.
const MaxLineBytes = 16 << 20

// Line is a line of an input.
type Line struct {
	Number int
	Text   []byte // without the newline; valid until the next line is read
	// Incomplete is true for a last line that has no newline: it was cut off, or it is being
	// written.
	Incomplete bool
}

// Stdin is the name that stands for standard input.
const Stdin = "-"

// Read calls each with every line of a file, in order. It reads gzip where the file begins so.
func Read(name string, stdin io.Reader, progress *Progress, each func(Line)) error {
	in := stdin
	if name != Stdin {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	if err := read(in, progress, each); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func read(in io.Reader, progress *Progress, each func(Line)) error {
	buffered := bufio.NewReaderSize(in, 1<<16)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return err
		}
		buffered = bufio.NewReaderSize(unzipped, 1<<16)
	}
	var long []byte // a line that the buffer is too small for
	for number := 1; ; number++ {
		text, complete, err := next(buffered, &long)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if complete || len(text) > 0 {
			each(Line{number, text, !complete})
			progress.line()
		}
		if end {
			return nil
		}
	}
}

// next reads a line. complete is true if it ended in a newline.
func next(in *bufio.Reader, long *[]byte) (text []byte, complete bool, err error) {
	*long = (*long)[:0]
	for {
		part, err := in.ReadSlice('\n')
		complete = err == nil
		if complete {
			part = part[:len(part)-1]
		}
		if len(*long) == 0 && !errors.Is(err, bufio.ErrBufferFull) {
			return part, complete, err
		}
		*long = append(*long, part[:min(len(part), MaxLineBytes-len(*long))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return *long, complete, err
		}
	}
}
