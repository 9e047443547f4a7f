package policy

import "gatehouse/core/ascii"

// SafeMethod reports whether every server reads a method as the routes do. Methods are compared
// with their case (RFC 9110 §9.1), but some servers ignore case, and HTTP/2 carries any case:
// "delete" would not match a route for DELETE, and still delete. So a method with a lower-case
// letter isn't safe. Nor is one that is no token (RFC 9110 §5.6.2), which a server could trim, or
// CONNECT, which has no path to match. (An extended CONNECT, RFC 8441, arrives as a GET with an
// upgrade.)
func SafeMethod(method string) bool {
	for i := range len(method) {
		if !isMethodByte(method[i]) {
			return false
		}
	}
	return method != "" && method != "CONNECT"
}

func isMethodByte(c byte) bool {
	if 'A' <= c && c <= 'Z' || ascii.IsDigit(c) {
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}
