// Package version is the one place that says which version of Gatehouse this is.
package version

// Version is a semantic version (semver.org, 2.0.0) without a leading v. The newest section of
// CHANGELOG.md that has a version has this one; a test holds the two together.
const Version = "1.0.0"
