// Package bench compares ratelimit with other limiters. It is a module of its own, because those
// limiters depend on database clients.
package bench
