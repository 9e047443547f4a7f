package ec

// point is (x/z², y/z³), in Montgomery form; the point at infinity has z = 0.
type point struct{ x, y, z element }

// multiples computes 0·p to 15·p.
func (c *Curve) multiples(p point) (t table) {
	t[1] = p
	for i := 2; i < len(t); i++ {
		if i%2 == 0 {
			t[i] = c.double(&t[i/2])
		} else {
			t[i] = c.add(&t[i-1], &p)
		}
	}
	return t
}

// combine computes u1·G + u2·q by Straus's method, four bits of both factors at a time.
func (c *Curve) combine(u1, u2 *element, q point) point {
	tq := c.multiples(q)
	var sum point
	for i := c.p.Limbs*16 - 1; i >= 0; i-- {
		for range 4 {
			sum = c.double(&sum)
		}
		if d := u1.digit(i); d != 0 {
			sum = c.add(&sum, &c.g[d])
		}
		if d := u2.digit(i); d != 0 {
			sum = c.add(&sum, &tq[d])
		}
	}
	return sum
}

// double is "dbl-2001-b" of the Explicit-Formulas Database, for a = -3. The curves have no point of
// order 2, so it is complete; infinity stays infinity.
func (c *Curve) double(p *point) (r point) {
	if p.z.isZero() {
		return point{}
	}
	f := c.p
	var delta, gamma, beta, alpha, t element
	f.Mul(&delta, &p.z, &p.z)
	f.Mul(&gamma, &p.y, &p.y)
	f.Mul(&beta, &p.x, &gamma)
	f.sub(&t, &p.x, &delta)
	f.Add(&alpha, &p.x, &delta)
	f.Mul(&t, &t, &alpha)
	f.Add(&alpha, &t, &t)
	f.Add(&alpha, &alpha, &t) // 3(x - z²)(x + z²)

	f.Add(&r.z, &p.y, &p.z)
	f.Mul(&r.z, &r.z, &r.z)
	f.sub(&r.z, &r.z, &gamma)
	f.sub(&r.z, &r.z, &delta) // 2yz

	f.Add(&beta, &beta, &beta)
	f.Add(&beta, &beta, &beta) // 4xy²
	f.Mul(&r.x, &alpha, &alpha)
	f.sub(&r.x, &r.x, &beta)
	f.sub(&r.x, &r.x, &beta)

	f.Mul(&gamma, &gamma, &gamma)
	f.Add(&gamma, &gamma, &gamma)
	f.Add(&gamma, &gamma, &gamma)
	f.Add(&gamma, &gamma, &gamma) // 8y⁴
	f.sub(&r.y, &beta, &r.x)
	f.Mul(&r.y, &r.y, &alpha)
	f.sub(&r.y, &r.y, &gamma)
	return r
}

// add is "add-1998-cmo-2" of the Explicit-Formulas Database. That formula fails for p = ±q, where
// add doubles or returns infinity.
func (c *Curve) add(p, q *point) (r point) {
	if p.z.isZero() {
		return *q
	}
	if q.z.isZero() {
		return *p
	}
	f := c.p
	var zz1, zz2, u1, s1, h, hh, d, t element
	f.Mul(&zz1, &p.z, &p.z)
	f.Mul(&zz2, &q.z, &q.z)
	f.Mul(&u1, &p.x, &zz2)
	f.Mul(&h, &q.x, &zz1)
	f.sub(&h, &h, &u1) // x2 - x1, over a common denominator
	f.Mul(&s1, &p.y, &q.z)
	f.Mul(&s1, &s1, &zz2)
	f.Mul(&d, &q.y, &p.z)
	f.Mul(&d, &d, &zz1)
	f.sub(&d, &d, &s1) // y2 - y1
	if h.isZero() {
		if d.isZero() {
			return c.double(p)
		}
		return point{} // q = -p
	}
	f.Mul(&hh, &h, &h)
	f.Mul(&u1, &u1, &hh)
	f.Mul(&hh, &hh, &h)
	f.Mul(&r.x, &d, &d)
	f.sub(&r.x, &r.x, &hh)
	f.sub(&r.x, &r.x, &u1)
	f.sub(&r.x, &r.x, &u1)
	f.sub(&t, &u1, &r.x)
	f.Mul(&r.y, &d, &t)
	f.Mul(&s1, &s1, &hh)
	f.sub(&r.y, &r.y, &s1)
	f.Mul(&r.z, &p.z, &q.z)
	f.Mul(&r.z, &r.z, &h)
	return r
}
