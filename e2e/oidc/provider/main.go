// Command provider is an OpenID provider for tests: zitadel/oidc with the storage of its own
// examples, whose tokens it issues as JWTs (RFC 9068), and with keys that can be rotated.
//
// It prints its issuer in one line when it listens, and does what it reads from its standard input,
// a line each:
//
//	rotate keep   signs with a new key and goes on publishing the old ones
//	rotate drop   the same, but publishes the new key alone
//
// and answers each with a line "done". It ends with its input.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + listener.Addr().String() + "/"
	storage.RegisterClients(storage.WebClient("web", "secret", "http://127.0.0.1/callback"))
	p := &provider{Storage: storage.NewStorage(storage.NewUserStore(issuer))}
	if err := p.rotate(false); err != nil {
		return err
	}
	server := &http.Server{
		Handler:           exampleop.SetupServer(issuer, p, slog.New(slog.DiscardHandler), false),
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = server.Serve(listener) }() // ends with the process
	fmt.Println(issuer)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "rotate keep", "rotate drop":
			if err := p.rotate(lines.Text() == "rotate keep"); err != nil {
				return err
			}
			fmt.Println("done")
		default:
			return fmt.Errorf("unknown command %q", lines.Text())
		}
	}
	return nil
}

// provider is the example's storage, except for what the tests are about.
type provider struct {
	*storage.Storage

	mu   sync.Mutex
	keys []*key // the first one signs, all are published
	last int
}

// key is a signing key as the provider wants it.
type key struct {
	id   string
	pair *rsa.PrivateKey
}

func (k *key) ID() string                                  { return k.id }
func (k *key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k *key) Key() any                                    { return k.pair }

// publicKey is its published half.
type publicKey struct{ *key }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.pair.PublicKey }

func (p *provider) rotate(keep bool) error {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !keep {
		p.keys = nil
	}
	p.last++
	p.keys = slices.Insert(p.keys, 0, &key{fmt.Sprintf("key-%d", p.last), pair})
	return nil
}

// SigningKey implements op.Storage.
func (p *provider) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0], nil
}

// KeySet implements op.Storage.
func (p *provider) KeySet(context.Context) ([]op.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var set []op.Key
	for _, k := range p.keys {
		set = append(set, publicKey{k})
	}
	return set, nil
}

// GetClientByClientID implements op.Storage.
func (p *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := p.Storage.GetClientByClientID(ctx, id)
	return jwtClient{client}, err
}

// ClientCredentials implements op.ClientCredentialsStorage.
func (p *provider) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	client, err := p.Storage.ClientCredentials(ctx, id, secret)
	return jwtClient{client}, err
}

// jwtClient gets JWTs for access tokens.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// GetPrivateClaimsFromRequest implements op.CanGetPrivateClaimsFromRequest: what RFC 9068, sections
// 2.2.1 and 2.2.3, adds to the claims that the library writes.
func (p *provider) GetPrivateClaimsFromRequest(_ context.Context, request op.TokenRequest, _ []string) (map[string]any, error) { //nolint:unparam // as the interface has it
	claims := map[string]any{"scope": strings.Join(request.GetScopes(), " ")}
	if login, ok := request.(op.AuthRequest); ok {
		claims["auth_time"], claims["amr"] = login.GetAuthTime().Unix(), login.GetAMR()
	}
	return claims, nil
}
