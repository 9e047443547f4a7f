package manifest

import (
	"strconv"
	"strings"
)

// step is one step of a path such as tokens.providers[0].claims["a b"]: a member's name, or else a
// list's index.
type step struct {
	name  string
	index int
}

// split takes a path of the configuration's parser apart; what it can't read ends it.
func split(path string) (steps []step) {
	for path != "" {
		if rest, ok := strings.CutPrefix(path, "["); ok {
			if text, err := strconv.QuotedPrefix(rest); err == nil {
				name, _ := strconv.Unquote(text)
				steps = append(steps, step{name: name})
				path = strings.TrimPrefix(strings.TrimPrefix(rest[len(text):], "…"), "]")
			} else {
				number, after, _ := strings.Cut(rest, "]")
				index, err := strconv.Atoi(number)
				if err != nil || index < 0 {
					return steps
				}
				steps = append(steps, step{index: index})
				path = after
			}
		} else {
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			if end == 0 {
				return steps
			}
			steps = append(steps, step{name: path[:end]})
			path = path[end:]
		}
		path = strings.TrimPrefix(path, ".")
	}
	return steps
}

// member is a mapping's member; nil when it isn't there.
func (v *value) member(name string) *member {
	for i := range v.fields() {
		if v.members[i].name == name {
			return &v.members[i]
		}
	}
	return nil
}

// lastMember is the last of several members with a name.
func (v *value) lastMember(name string) (last *member) {
	for i := range v.fields() {
		if v.members[i].name == name {
			last = &v.members[i]
		}
	}
	return last
}
