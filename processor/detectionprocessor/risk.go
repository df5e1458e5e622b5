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
	entities *simplelru.LRU[string, risk]
}

// risk is a score at a time.
type risk struct {
	score float64
	at    time.Time
}

// scores is what an alert says of risk.
type scores struct {
	added      int
	host, user int      // with the alert
	entities   []string // whose score it is in
}

func newRiskScores(cfg RiskConfig) *riskScores {
	entities, err := simplelru.NewLRU[string, risk](mostEntities, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &riskScores{halfLife: cfg.HalfLife, entities: entities}
}

// add adds an alert to the risk of its host and, where it has one, its user.
func (s *riskScores) add(f *finding, at time.Time) scores {
	out := scores{added: f.rule.risk()}
	s.mu.Lock()
	defer s.mu.Unlock()
	host := "host|" + f.hostName()
	out.host = s.raise(host, out.added, at)
	out.entities = append(out.entities, host)
	if name, ok := f.log.Attributes().Get(event.AttrProcessUserName); ok {
		user := "user|" + f.hostName() + "|" + name.AsString()
		out.user = s.raise(user, out.added, at)
		out.entities = append(out.entities, user)
	}
	return out
}

func (s *riskScores) raise(entity string, by int, at time.Time) int {
	r, _ := s.entities.Get(entity)
	if passed := at.Sub(r.at); passed > 0 {
		r.score *= math.Exp2(-float64(passed) / float64(s.halfLife))
		r.at = at
	}
	r.score += float64(by)
	s.entities.Add(entity, r)
	return int(math.Round(r.score))
}

// takeBack undoes what an alert that could not be delivered has added.
func (s *riskScores) takeBack(given scores) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entity := range given.entities {
		if r, ok := s.entities.Peek(entity); ok {
			r.score = max(0, r.score-float64(given.added))
			s.entities.Add(entity, r)
		}
	}
}

// hostName names the host an event is from.
func (f *finding) hostName() string {
	for _, name := range []string{event.AttrHostID, event.AttrHostName} {
		if value, ok := f.resource.Resource().Attributes().Get(name); ok {
			return value.AsString()
		}
	}
	return ""
}
