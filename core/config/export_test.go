package config

// ShapeProblems are what a document's values have against the table of fields, without the rules
// across fields.
func ShapeProblems(doc []byte) Problems {
	var reading, checking report
	root := reading.tree(doc)
	if root == nil {
		return inOrder(reading.problems)
	}
	checking.check(root, &configuration, false)
	return inOrder(checking.problems)
}
