package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ninjaone-auth/pkg/flows"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/vault"
)

// clockTolerance is what a session's expiry leaves a clock to be wrong by (session.MinimumLife).
const clockTolerance = time.Minute

// network asks each instance in use for nothing in particular.
func (m Machine) network(ctx context.Context) []Finding {
	instances := m.instances(ctx)
	if len(instances) == 0 {
		return []Finding{ok("no session is known, so no instance was tried; --instance NAME tries one")}
	}
	found := make([]Finding, len(instances))
	var all sync.WaitGroup
	for i, instance := range instances {
		all.Go(func() { found[i] = m.reach(ctx, instance) })
	}
	all.Wait()
	return found
}

// instances are those asked for, else those of the sessions in the keyring, if it can be read without asking anybody.
func (m Machine) instances(ctx context.Context) []string {
	if len(m.Instances) > 0 || keyring.Open(patience).MayAsk() {
		return m.Instances
	}
	sessions, _ := vault.List(ctx, report.Silent{}) // the keyring's own check tells what is wrong
	var instances []string
	for _, s := range sessions {
		if instance := s.Session.Connection.Instance; s.Problem == "" && !slices.Contains(instances, instance) {
			instances = append(instances, instance)
		}
	}
	return instances
}

func (m Machine) reach(ctx context.Context, instance string) Finding {
	reached, err := flows.Reach(ctx, instance)
	if err != nil {
		return failed(m.Told(err))
	}
	way := "no proxy"
	if reached.Proxy != "" {
		way = "through the proxy " + reached.Proxy
	}
	text := fmt.Sprintf("%s answers, %s; its certificate is from %s", reached.Host, way, reached.Issuer)
	off := time.Since(reached.Date).Round(time.Second)
	switch {
	case reached.Date.IsZero():
		return ok("%s", text)
	case off.Abs() > clockTolerance:
		return warning("Set the clock: sessions seem to run out too early or too late.", "%s; this machine's clock differs from its by %s", text, off)
	}
	return ok("%s; the clocks agree", text)
}
