package main

import (
	"context"
	"fmt"
)

// measure runs all groups of subjects.
func (l *lab) measure(ctx context.Context, p *plan) (*report, error) {
	r := &report{Rounds: l.rounds, Envoy: l.envoy.String()}
	table := l.table(p)
	if err := l.take(ctx, "the table", table); err != nil {
		return nil, err
	}
	r.addTable(table)
	moments := l.moments(p)
	if err := l.take(ctx, "tokens and refusals", moments); err != nil {
		return nil, err
	}
	r.addMoments(moments)
	if l.quick {
		return r, nil
	}
	for _, curve := range l.curves(p) {
		if err := l.take(ctx, "a curve", curve); err != nil {
			return nil, err
		}
		r.addCurve(curve)
	}
	starts, err := l.starts(p)
	if err != nil {
		return nil, err
	}
	if err := l.takeStarts(ctx, starts); err != nil {
		return nil, err
	}
	r.addStarts(starts)
	return r, nil
}

// takeStarts starts subjects in turns, for what a start costs and how much memory it leaves.
func (l *lab) takeStarts(ctx context.Context, subjects []*subject) error {
	for round := range l.starting {
		for _, s := range subjects {
			l.say("start-up of %s: %d of %d", s.Name, round+1, l.starting)
			if err := l.takeStart(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *lab) takeStart(ctx context.Context, s *subject) error {
	defer s.stop()
	if err := s.start(ctx, l); err != nil {
		return err
	}
	if _, err := s.run(max(len(s.requests), 1000)); err != nil {
		return err
	}
	rss, err := s.process.RSS()
	if err != nil {
		return err
	}
	s.costs, s.sizes = append(s.costs, s.startup), append(s.sizes, float64(rss)/1e6)
	return nil
}

// take starts a group's subjects, warms them, measures them in interleaved rounds, and stops them.
func (l *lab) take(ctx context.Context, group string, subjects []*subject) error {
	defer func() {
		for _, s := range subjects {
			s.stop()
		}
	}()
	counts := make([]int, len(subjects))
	for i, s := range subjects {
		l.say("%s: starting %d of %d: %s", group, i+1, len(subjects), s.Name)
		if err := s.start(ctx, l); err != nil {
			return err
		}
		// The first requests fill caches and let V8 optimise; the second run tells how many make a
		// round.
		warm := s.warm
		if warm == 0 {
			warm = max(2*len(s.requests), 4000)
		}
		if err := load(s.process.Address("bench"), s.requests, warm, anyStatus); err != nil {
			return err
		}
		cost, err := s.run(2000)
		if err != nil {
			return err
		}
		counts[i] = requestsFor(cost, l.period)
	}
	for round := range l.rounds {
		l.say("%s: round %d of %d", group, round+1, l.rounds)
		for i, s := range subjects {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("interrupted: %w", err)
			}
			cost, err := s.run(counts[i])
			if err != nil {
				return err
			}
			s.costs = append(s.costs, cost)
		}
	}
	return nil
}

// memory prints how much memory Envoy has resident after each of ten parts of two million requests,
// all on.
func (l *lab) memory(ctx context.Context, p *plan) error {
	const parts, part = 10, 200_000
	s := l.allOn(manyAllOn, p)
	defer s.stop()
	if err := s.start(ctx, l); err != nil {
		return err
	}
	for i := range parts {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted: %w", err)
		}
		if _, err := s.run(part); err != nil {
			return err
		}
		rss, err := s.process.RSS()
		if err != nil {
			return err
		}
		l.say("%d requests answered, %.1f MB resident", (i+1)*part, float64(rss)/1e6)
	}
	return nil
}
