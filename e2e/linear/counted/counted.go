// Package counted stands in for package strings and counts the bytes that its functions read.
package counted

import (
	"iter"
	"strings"
)

// Bytes is how many bytes were read.
var Bytes uint64

func read(n int) { Bytes += uint64(max(n, 0)) + 1 }

// found counts a search in s that ended at i, or found nothing.
func found(s string, i int) int {
	if i < 0 {
		read(len(s))
	} else {
		read(i)
	}
	return i
}

// Builder is strings.Builder: what it costs is what it allocates.
type Builder = strings.Builder

// Reader is strings.Reader.
type Reader = strings.Reader

// NewReader is strings.NewReader.
func NewReader(s string) *Reader { return strings.NewReader(s) }

// Clone is strings.Clone.
func Clone(s string) string { read(len(s)); return strings.Clone(s) }

// IndexByte is strings.IndexByte.
func IndexByte(s string, c byte) int { return found(s, strings.IndexByte(s, c)) }

// Index is strings.Index.
func Index(s, sub string) int { return found(s, strings.Index(s, sub)) }

// IndexAny is strings.IndexAny.
func IndexAny(s, chars string) int { return found(s, strings.IndexAny(s, chars)) }

// Contains is strings.Contains.
func Contains(s, sub string) bool { return Index(s, sub) >= 0 }

// ContainsAny is strings.ContainsAny.
func ContainsAny(s, chars string) bool { return IndexAny(s, chars) >= 0 }

// HasPrefix is strings.HasPrefix.
func HasPrefix(s, p string) bool { read(min(len(s), len(p))); return strings.HasPrefix(s, p) }

// HasSuffix is strings.HasSuffix.
func HasSuffix(s, p string) bool { read(min(len(s), len(p))); return strings.HasSuffix(s, p) }

// EqualFold is strings.EqualFold.
func EqualFold(a, b string) bool { read(min(len(a), len(b))); return strings.EqualFold(a, b) }

// TrimPrefix is strings.TrimPrefix.
func TrimPrefix(s, p string) string { read(len(p)); return strings.TrimPrefix(s, p) }

// TrimSuffix is strings.TrimSuffix.
func TrimSuffix(s, p string) string { read(len(p)); return strings.TrimSuffix(s, p) }

// CutPrefix is strings.CutPrefix.
func CutPrefix(s, p string) (string, bool) { read(len(p)); return strings.CutPrefix(s, p) }

// CutSuffix is strings.CutSuffix.
func CutSuffix(s, p string) (string, bool) { read(len(p)); return strings.CutSuffix(s, p) }

// ReplaceAll is strings.ReplaceAll.
func ReplaceAll(s, old, replacement string) string {
	read(len(s))
	return strings.ReplaceAll(s, old, replacement)
}

// ToLower is strings.ToLower.
func ToLower(s string) string { read(len(s)); return strings.ToLower(s) }

// ToUpper is strings.ToUpper.
func ToUpper(s string) string { read(len(s)); return strings.ToUpper(s) }

// Split is strings.Split.
func Split(s, sep string) []string { read(len(s)); return strings.Split(s, sep) }

// Repeat is strings.Repeat.
func Repeat(s string, n int) string { read(len(s) * n); return strings.Repeat(s, n) }

// Count is strings.Count.
func Count(s, sub string) int { read(len(s)); return strings.Count(s, sub) }

// FieldsFunc is strings.FieldsFunc.
func FieldsFunc(s string, f func(rune) bool) []string {
	read(len(s))
	return strings.FieldsFunc(s, f)
}

// LastIndexByte reads from the end.
func LastIndexByte(s string, c byte) int {
	i := strings.LastIndexByte(s, c)
	read(len(s) - i)
	return i
}

// LastIndex reads from the end.
func LastIndex(s, sub string) int {
	i := strings.LastIndex(s, sub)
	read(len(s) - i)
	return i
}

// Cut reads up to the separator.
func Cut(s, sep string) (before, after string, ok bool) {
	Index(s, sep)
	return strings.Cut(s, sep)
}

// Trim reads what it removes.
func Trim(s, cutset string) string { return trimmed(s, strings.Trim(s, cutset)) }

// TrimLeft reads what it removes.
func TrimLeft(s, cutset string) string { return trimmed(s, strings.TrimLeft(s, cutset)) }

// TrimRight reads what it removes.
func TrimRight(s, cutset string) string { return trimmed(s, strings.TrimRight(s, cutset)) }

// TrimSpace reads what it removes.
func TrimSpace(s string) string { return trimmed(s, strings.TrimSpace(s)) }

func trimmed(s, rest string) string {
	read(len(s) - len(rest))
	return rest
}

// Join copies all elements.
func Join(list []string, sep string) string {
	joined := strings.Join(list, sep)
	read(len(joined))
	return joined
}

// SplitSeq reads each part when it is asked for.
func SplitSeq(s, sep string) iter.Seq[string] { return counting(strings.SplitSeq(s, sep)) }

// SplitAfterSeq reads each part when it is asked for.
func SplitAfterSeq(s, sep string) iter.Seq[string] { return counting(strings.SplitAfterSeq(s, sep)) }

func counting(parts iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for part := range parts {
			read(len(part))
			if !yield(part) {
				return
			}
		}
	}
}
