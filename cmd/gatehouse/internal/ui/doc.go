// Package ui serves one local page that shows what the admin API knows, live.
//
// The page is embedded in the program and loads nothing from elsewhere. Its requests go to this
// server, which passes them on to the admin API with the token, so the browser never has the token.
// The server listens on loopback and answers only requests that name it as their host and that come
// from its own page: another site that the browser has open can neither read nor reset anything
// through it.
package ui
