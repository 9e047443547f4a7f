package toy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// maxClaims bounds the claims that a request may ask to have signed, in bytes.
const maxClaims = 64 << 10

// ServeSigning adds POST /sign, for scripts that need tokens: it signs the claims in the body, a
// JSON object, for whoever asks, and answers the token alone. iss, aud, iat and exp are filled in;
// a claim that is null is left out. The query's alg names the algorithm; by default it is RS256. A
// request that can't be signed gets 400 and the reason. It must be called once.
func (i *Issuer) ServeSigning(audience string, lifetime time.Duration) {
	i.mux.HandleFunc("POST /sign", func(w http.ResponseWriter, r *http.Request) {
		token, err := i.sign(http.MaxBytesReader(w, r.Body, maxClaims), r.URL.Query().Get("alg"), i.Claims("", audience, lifetime).Without("sub"))
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			token = err.Error() + "\n"
		}
		_, _ = io.WriteString(w, token)
	})
}

// sign signs the claims that it reads; those of defaults hold where they say nothing.
func (i *Issuer) sign(body io.Reader, alg string, defaults Claims) (string, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	var given Claims
	if err := json.Unmarshal(text, &given); err != nil || given == nil {
		return "", errors.New("want the claims in the body, a JSON object")
	}
	claims := defaults
	for name, value := range given {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	if alg == "" {
		return i.Sign(claims)
	}
	return i.Sign(claims, Algorithm(alg))
}
