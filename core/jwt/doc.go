// Package jwt verifies JSON Web Tokens in the compact serialisation (RFC 7515, RFC 7519) as RFC
// 8725 advises: the verifier chooses the algorithms, the issuer has the keys, and what isn't fully
// understood is refused.
//
// The checks have an order, and the first failure is the reason: size, form, issuer, algorithm,
// key, signature, types of the registered claims, typ, exp, nbf, audience, required claims, claims.
// No claim but "iss" is read before the signature holds.
//
// The reasons are in package reason, with what each means. About keys, reason.UnknownKey says that
// no key of the provider fits. A key fits if it has the token's "kid" (where the token has one),
// the algorithm's key type and curve, no "alg" or this one, and for HMAC at least the hash's
// length. The first four keys that fit are tried. An empty "kid" counts as none; a "kid" longer
// than jwks.MaxKeyID fits no key.
package jwt
