// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/vedette-sec/vedette/internal/event"
)

// mostEntities bounds the hosts and users whose risk is added up.
const mostEntities = 10_000

// riskScores adds up what alerts say of hosts and users. What an alert has added fades with time.
type riskScores struct {
	halfLife time.Duration

	mu       sync.Mutex
	entities *simplelru.LRU[entity, risk]
}

// entity is a host, or a user of it.
type entity struct {
	host   string
	user   string
	isUser bool
}

// risk is a score at a time.
type risk struct {
	score float64
	at    time.Time
}

// scores is what an alert says of risk.
type scores struct {
	added      int
	host, user int // with the alert
	entities   [2]entity
	count      int // of the entities whose score it is in: the host's, and the user's where there is one
}

func newRiskScores(cfg RiskConfig) *riskScores {
	entities, err := simplelru.NewLRU[entity, risk](mostEntities, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &riskScores{halfLife: cfg.HalfLife, entities: entities}
}

// add adds an alert to the risk of its host and, where it has one, its user.
func (s *riskScores) add(f *finding, at time.Time) scores {
	out := scores{added: f.rule.risk(), count: 1}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.entities[0] = entity{host: f.origin.host}
	out.host = s.raise(out.entities[0], out.added, at)
	if name, ok := f.log.Attributes().Get(event.AttrProcessUserName); ok {
		out.count = 2
		out.entities[1] = entity{host: f.origin.host, user: name.AsString(), isUser: true}
		out.user = s.raise(out.entities[1], out.added, at)
	}
	return out
}

func (s *riskScores) raise(of entity, by int, at time.Time) int {
	r, _ := s.entities.Get(of)
	if passed := at.Sub(r.at); passed > 0 {
		r.score *= math.Exp2(-float64(passed) / float64(s.halfLife))
		r.at = at
	}
	r.score += float64(by)
	s.entities.Add(of, r)
	return int(math.Round(r.score))
}

// takeBack undoes what an alert that could not be delivered has added.
func (s *riskScores) takeBack(given scores) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range given.entities[:given.count] {
		if r, ok := s.entities.Peek(of); ok {
			r.score = max(0, r.score-float64(given.added))
			s.entities.Add(of, r)
		}
	}
}
