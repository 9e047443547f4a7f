package config

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// check compares a value with its shape, reports what doesn't fit, and adds the defaults of absent
// fields.
func (r *report) check(n *node, s *Shape, secret bool) {
	secret = secret || s.Secret
	switch s.Type {
	case Text:
		r.checkText(n, s, secret)
	case Integer:
		if v, ok := integer(n.text); n.kind != isNumber || !ok || v < s.Min || v > s.Max {
			r.problem(n, s.want()+", got "+n.got(secret))
		}
	case Null:
		if n.kind != isNull {
			r.problem(n, s.want()+", got "+n.got(secret))
		}
	case Boolean:
		if n.kind != isBoolean {
			r.problem(n, s.want()+", got "+n.got(secret))
		}
	case List:
		r.checkList(n, s, secret)
	case Map:
		r.checkMap(n, s, secret)
	case Object:
		r.checkObject(n, s, secret)
	case Either:
		for _, one := range s.Either {
			if one.kind() == n.kind {
				r.check(n, one, secret)
				return
			}
		}
		r.problem(n, s.want()+", got "+n.got(secret))
	}
}

func (r *report) checkText(n *node, s *Shape, secret bool) {
	length := utf8.RuneCountInString(n.text)
	switch {
	case n.kind != isText, s.Enum != nil && !slices.Contains(s.Enum, n.text):
		r.problem(n, s.want()+", got "+n.got(secret))
	case s.Enum != nil: // the list of words is the only bound
	case !s.holds(length):
		r.problem(n, s.want()+", got "+strconv.Itoa(length))
	case s.Format != nil && !s.Format.ok(n.text):
		r.problem(n, "want "+s.Format.Want+", got "+n.got(secret))
	}
}

func (r *report) checkList(n *node, s *Shape, secret bool) {
	if n.kind != isList {
		r.problem(n, s.want()+", got "+n.got(secret))
		return
	}
	if !s.holds(len(n.kids)) {
		r.problem(n, s.want()+", got "+strconv.Itoa(len(n.kids)))
	}
	seen := map[string]bool{}
	for _, kid := range n.kids {
		r.check(kid, s.Element, secret)
		if s.Unique && kid.kind == isText {
			if seen[kid.text] {
				r.problem(kid, kid.got(secret)+" is already in the list")
			}
			seen[kid.text] = true
		}
	}
}

func (r *report) checkMap(n *node, s *Shape, secret bool) {
	if n.kind != isObject {
		r.problem(n, s.want()+", got "+n.got(secret))
		return
	}
	if !s.holds(len(n.kids)) {
		r.problem(n, s.want()+", got "+strconv.Itoa(len(n.kids)))
	}
	for _, kid := range n.kids {
		if !s.Names.holds(utf8.RuneCountInString(kid.name)) {
			r.problem(kid, "want a name of "+span(s.Names.Min, s.Names.Max)+" characters")
		} else if f := s.Names.Format; f != nil && !f.ok(kid.name) {
			r.problem(kid, "want "+f.Want+" as name")
			continue
		}
		r.check(kid, s.Element, secret)
	}
}

func (r *report) checkObject(n *node, s *Shape, secret bool) {
	if n.kind != isObject {
		r.problem(n, s.want()+", got "+n.got(secret))
		return
	}
	for _, kid := range n.kids {
		if f := s.field(kid.name); f != nil {
			r.check(kid, f.Shape, secret)
		} else if !s.Open {
			r.problem(kid, s.unknown(kid.name))
		}
	}
	if int64(len(n.kids)) < s.Min {
		r.problem(n, "want at least one of "+strings.Join(s.fieldNames(), ", "))
	}
	if s.Choices != nil {
		r.checkChoices(n, s.Choices)
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		switch {
		case n.get(f.Name) != nil:
		case f.Required:
			r.missing(n, f.Name, "required: "+f.Shape.want())
		case f.Default != "":
			r.check(addDefault(n, f), f.Shape, secret)
		}
	}
}

// addDefault adds the default of a field that the document doesn't have.
func addDefault(n *node, f *Field) *node {
	kid := newBuilder(&report{}, []byte(f.Default)).value(n, f.Name, -1, 1)
	kid.byDefault(n.offset)
	n.kids = append(n.kids, kid)
	return kid
}

// checkChoices makes sure that the object, before its defaults are added, follows exactly one of
// the choices.
func (r *report) checkChoices(n *node, choices []Choice) {
	intended := intendedChoice(n, choices)
	if intended < 0 {
		var ways []string
		for _, c := range choices {
			ways = append(ways, strings.Join(c.Need, " and "))
		}
		r.problem(n, "want either "+strings.Join(ways, ", or "))
		return
	}
	for _, name := range choices[intended].Need {
		if n.get(name) == nil {
			r.missing(n, name, "required with "+firstOf(n, choices[intended].Need))
		}
	}
	for i, c := range choices {
		if i == intended {
			continue
		}
		for _, names := range [][]string{c.Need, c.Also} {
			for _, name := range names {
				if kid := n.get(name); kid != nil && !choices[intended].has(name) {
					r.problem(kid, "not together with "+firstOf(n, choices[intended].Need))
				}
			}
		}
	}
}

func (c *Choice) has(name string) bool {
	return slices.Contains(c.Need, name) || slices.Contains(c.Also, name)
}

// intendedChoice guesses which choice the user intended, so that the errors fit: the first choice
// whose first field is present, else the first one with any field present; -1 if there is none.
func intendedChoice(n *node, choices []Choice) int {
	if i := slices.IndexFunc(choices, func(c Choice) bool { return n.get(c.Need[0]) != nil }); i >= 0 {
		return i
	}
	return slices.IndexFunc(choices, func(c Choice) bool { return firstOf(n, c.Need) != "" })
}

func firstOf(n *node, names []string) string {
	for _, name := range names {
		if n.get(name) != nil {
			return name
		}
	}
	return ""
}

func (s *Shape) field(name string) *Field {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i]
		}
	}
	return nil
}

// fieldNames returns the names of an object's fields.
func (s *Shape) fieldNames() (names []string) {
	for _, f := range s.Fields {
		names = append(names, f.Name)
	}
	return names
}

// holds reports whether a list or map of this shape may have n elements, or a text of this shape n
// characters.
func (s *Shape) holds(n int) bool { return int64(n) >= s.Min && int64(n) <= s.Max }

func (s *Shape) kind() kind {
	switch s.Type {
	case Text:
		return isText
	case Integer:
		return isNumber
	case Boolean:
		return isBoolean
	case Null:
		return isNull
	case List:
		return isList
	}
	return isObject
}

// want describes the allowed values.
func (s *Shape) want() string {
	bounds := span(s.Min, s.Max)
	switch s.Type {
	case Text:
		if s.Enum != nil {
			return "want " + alternatives(s.Enum)
		}
		return "want a string of " + bounds + " characters"
	case Integer:
		return "want " + bounds
	case Boolean:
		return "want true or false"
	case Null:
		return "want null"
	case List:
		return "want a list of " + bounds
	case Map:
		return "want an object with " + bounds + " members"
	case Either:
		var ways []string
		for _, one := range s.Either {
			ways = append(ways, strings.TrimPrefix(one.want(), "want "))
		}
		return "want " + strings.Join(ways, ", or ")
	}
	return "want an object"
}

func span(low, high int64) string {
	if low == high {
		return strconv.FormatInt(low, 10)
	}
	return strconv.FormatInt(low, 10) + ".." + strconv.FormatInt(high, 10)
}

func alternatives(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(w))
	}
	return b.String()
}

// got describes the value found.
func (n *node) got(secret bool) string {
	switch {
	case secret || n.kind == isList || n.kind == isObject:
		return n.kind.String()
	case n.kind == isText:
		return quote(n.text)
	case n.kind == isNumber && len(n.text) <= maxQuoted:
		return n.text
	case n.kind == isBoolean:
		return strconv.FormatBool(n.truth)
	}
	return n.kind.String()
}
