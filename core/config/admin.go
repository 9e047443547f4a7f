package config

import "strconv"

// minAdminToken keeps the admin API's token from being guessed.
const minAdminToken = 32

func (p *parser) admin(root *node) {
	token := root.get("admin").get("token")
	if token == nil || !p.secret(token) {
		return
	}
	visible := every(token.text, func(c byte) bool { return c > ' ' && c <= '~' })
	if len(token.text) < minAdminToken || !visible {
		p.problem(token, "want at least "+strconv.Itoa(minAdminToken)+" visible ASCII characters, got a string of "+
			strconv.Itoa(len(token.text))+" bytes")
		return
	}
	p.config.Admin = &Admin{Token: Secret(token.text)}
}
