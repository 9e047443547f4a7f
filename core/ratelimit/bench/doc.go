// Package bench compares ratelimit with other limiters. It is a module of its own, because they bring clients of databases along.
package bench
