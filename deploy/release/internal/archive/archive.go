// Package archive packs files for a release: the same bytes for the same files.
package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// File is one in an archive, or one of a release.
type File struct {
	Name    string // with slashes
	Program bool   // it may be executed
	Content []byte
}

// TarGz packs files below a folder of that name. They belong to root and bear one date.
func TarGz(folder string, date time.Time, files []File) ([]byte, error) {
	var b bytes.Buffer
	compressed := gzip.NewWriter(&b) // without a name or a date of its own
	w := tar.NewWriter(compressed)
	for _, f := range sorted(files) {
		mode := int64(0o644)
		if f.Program {
			mode = 0o755
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: folder + "/" + f.Name, Mode: mode, Size: int64(len(f.Content)), ModTime: date.UTC(), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Sums are the files' SHA-256 in the form that sha256sum -c reads.
func Sums(files []File) []byte {
	var b bytes.Buffer
	for _, f := range sorted(files) {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(f.Content), f.Name)
	}
	return b.Bytes()
}

func sorted(files []File) []File {
	return slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}
