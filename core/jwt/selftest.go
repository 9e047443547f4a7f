package jwt

import "gatehouse/core/jwks"

// selfTestKeys and selfTests are the known answers of SelfTest: signatures of the message "sample"
// by the RSA key of RFC 7520 §3.4 and by the ECDSA keys of RFC 6979 §A.2.5 to §A.2.7, where the
// ECDSA signatures are from too. The RSA signatures are ours; a test makes them again from the
// RFC's private key.
const selfTestKeys = `{"keys":[
{"kty":"RSA","e":"AQAB","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"},
{"kty":"EC","crv":"P-256","x":"YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y","y":"eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk"},
{"kty":"EC","crv":"P-384","x":"7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT","y":"gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg"},
{"kty":"EC","crv":"P-521","x":"AYlFUNB4WTLgDqojtpTyE_jDEh-G3JegTlpxZ9tOW803ESPUbkXba11TcKfyD7YzFV04_6FtK9dh3KxHS5ovUCOk","y":"AEkxAclizU0v3feCKF5kWEE5wvkbR_h_-CNU1mMPdGoooNsldBtbNKgoAIsirMI_kk-q-9TTP4HqZpVt_qor_fz1"}
]}`

var selfTests = [...]struct {
	alg       Alg
	signature string
}{
	{RS256, "XamanR-29T2Bh3Y8G724gzhJfJVwALDLBxOUsTzWKDWuKNPBsxii5uXx1tpiBFBuKRFI4w0Xca7OHmV7iPx0pVKmVA88_k4cWmahiRj-AuQxK_cAIQwdFGOj2eege0vWsyIStaUHER2fuJ05jUk2zx2g1vMiaWH0-UgY1UGMB-HbeKZhUrSwooYFwzL9ML3E7LBI1xKIW3KmVK_BT47WOkWGD6VnXlZ_eaNrxGpxYCdpWwwj3H2Uf00ZSwCGjW8wYuEmo1QRmvsE5nt-SH8nAEcygonWLMpdmKWK0BkogwHX9xkhZLiv6BTHdcESjJmKZIOjXLHFjv1fhJUsNJdyaA"},
	{RS384, "FtCP3L76IJcNUchMTdLzImtsENxhhjKsKF2yFSbcPZ65QX2qDeKDIplumn9hyycBldfd1X4aPFZMEY_70Hm0ZNUDgl06AUjRUnFQrVf2lFjfmrnAQCz7B_elmnZPEzjHfl4yl8zZEOLzfA6BC9YIbtAo5l_y8jw20GS56hPD79ooT4cAjGSNGS9gLr1ac1mVdGwspTpqb6i-6Q_AOPCQAR0XzoUOTT3KXpMlrHPaLTU76D3JeDbE2EPN8UzfbN5acUl1bhKUIg_3OqJM1eOFYbm0b-p6ZSdmdjdzqFDiBlAkvhCJOLdBfbUbRmQMSsh8z2FNTXeepHBcFX2P3lYPKg"},
	{RS512, "cxy1o6WIkdvTHRH5Ei7UdhICv_lylLIQTcv79RKSdw018xGQ1U2MkYMyfeIp5MKKvNugjfxmr_H1zl4IusZG0bPC6o1uA3qHErjzJ9rimn2Q94qqoxufjzMOwcE2m_-DVkWk6QJSvZnxMveFar2pMefByQDhBinUegC1lHWrx4sLpvDe60_NHDdouIw6jCFhkDkxf38HBrOsIFPolxd4y7iVMXlAQ_qaBMcBR7bDxdRCONkvj2OPU3wQq9uj1B1IVWU34lSkzL7BIxUtTW63ysEMVoUaXGcVi4WaZmZnyEuHP6sL9VFHXmzL20bRFRJXjpb63KJHWOE1OJ-jy37k7g"},
	{ES256, "79SLKqy2qP0RQN2c1F6B1p0sh3tWqvmRw00OqE6vNxb3yxyULWV8QdQ2x6G24p9l8-kA27mv9AZNxKsvhDrNqA"},
	{ES384, "lO27kqXsuKrUc25WxpGRaz-IFAZmzp-nPWTE6pWtEzyBpkgVLkSs-W423R6A-r5Gme9K6xXxeM6h_kDbJgMTjxMOdAoZYkUmIDtjUdCjqU-jKcFFeG5nnnuCxxo4YorI"},
	{ES512, "AMMo-vy9ed13hQNwxGMl2YfLUlVp-2PF07xTlQ5tTF8XTiWh7pAXtdRQYGrdFStTSTHX1OhFXMkfmxW_Bew243f6AGF8znz1BkgGxGf2eNO0CA1vHMUK8myiCUFzCCgbaK8oJiPqpj5bXAcj2LjDf_B3exog-Myx3MxDmX8e4ORNpKZ6"},
}

// firstFitting is the first key of a set that fits, nil if there is none.
func (a Alg) firstFitting(set *jwks.Set) *jwks.Key {
	for _, k := range set.Keys {
		if a.fits(k) {
			return k
		}
	}
	return nil
}

// SelfTest finds out which algorithms a host verifies correctly. For each of them the host must
// accept a known signature, and refuse it for another message and with one bit flipped. A host may
// lack the function, not know an algorithm, or give the same answer to everything. For a nil host
// the set is empty.
func SelfTest(host HostVerify) (working AlgSet) {
	if host == nil {
		return 0
	}
	set, err := jwks.Parse([]byte(selfTestKeys))
	if err != nil {
		return 0
	}
	for _, t := range selfTests {
		key := t.alg.firstFitting(set)
		sig, err := jwks.AppendBase64URL(nil, t.signature)
		if err != nil || key == nil {
			continue
		}
		flipped := append([]byte(nil), sig...)
		flipped[len(flipped)-1] ^= 1
		hash := algorithms[t.alg].host
		try := func(sig []byte, message string) (ok, handled bool) {
			form, valid := hostSignature(t.alg, key, sig)
			if !valid {
				return false, false
			}
			return host(hash, key.SPKI, form, message)
		}
		ok, handled := try(sig, "sample")
		if !ok || !handled {
			continue
		}
		if ok, handled = try(sig, "samples"); ok || !handled {
			continue
		}
		if ok, handled = try(flipped, "sample"); ok || !handled {
			continue
		}
		working = working.With(t.alg)
	}
	return working
}
