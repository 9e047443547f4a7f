package caller

// Kind is what a caller is.
type Kind uint8

// The kinds of callers. Unknown is the zero value: only a route for any caller admits it.
const (
	Unknown Kind = iota
	Human
	Machine
	Anonymous // no token; Classify never returns it

	// Any is a requirement that every caller meets. No caller is of this kind.
	Any
)

var kindWords = [...]string{Unknown: "unknown", Human: "human", Machine: "machine", Anonymous: "anonymous", Any: "any"}

// String returns the word that configuration, headers and audit events use.
func (k Kind) String() string { return kindWords[k] }

// Kinds returns the kinds that a caller can be, in the order of their numbers.
func Kinds() [Any]Kind { return [...]Kind{Unknown, Human, Machine, Anonymous} }

// ParseKind reads the configuration's word for the kind that a route or a limit asks for; "unknown"
// is none.
func ParseKind(word string) (Kind, bool) {
	for k := Human; k <= Any; k++ {
		if kindWords[k] == word {
			return k, true
		}
	}
	return Unknown, false
}

// Admits reports whether a requirement for callers of kind k is met by a caller of another kind.
func (k Kind) Admits(other Kind) bool { return k == Any || k == other }
