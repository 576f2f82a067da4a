// Command rulecheck evaluates alerting rules on given series, minute by minute, with Prometheus's own engine.
//
// It reads {"rules": FILE, "series": ["NAME{LABELS} VALUES", ...], "minutes": N} and prints what fires in the last
// minute: [{"labels": {...}, "annotations": {...}}, ...]. Values are written as in promtool's tests. The loop is
// that of promtool's `test rules` (cmd/promtool/unittest.go), which needs ten times as much to be built.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

type story struct {
	Rules   string   `json:"rules"`
	Series  []string `json:"series"`
	Minutes int      `json:"minutes"`
}

type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func main() {
	var told story
	err := json.NewDecoder(os.Stdin).Decode(&told)
	if err == nil {
		var firing []alert
		if firing, err = fires(told); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(firing)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fires(told story) ([]alert, error) {
	reads := parser.NewParser(parser.Options{})
	load := "load 1m\n  " + strings.Join(told.Series, "\n  ")
	suite, err := promqltest.NewLazyLoader(load, promqltest.LazyLoaderOpts{
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: reads,
	})
	if err != nil {
		return nil, err
	}
	defer suite.Close()
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()),
		AppendableV2: suite.Storage(),
		Context:      context.Background(),
		NotifyFunc:   func(context.Context, string, ...*rules.Alert) {},
		Logger:       promslog.NewNopLogger(),
		Parser:       reads,
	})
	groups, faults := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, told.Rules)
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	return evaluated(suite, groups, told.Minutes)
}

func evaluated(suite *promqltest.LazyLoader, groups map[string]*rules.Group, minutes int) ([]alert, error) {
	var fault error
	for minute := range minutes + 1 {
		at := time.Unix(int64(minute)*60, 0).UTC()
		suite.WithSamplesTill(at, func(err error) {
			fault = errors.Join(fault, err)
			for _, group := range groups {
				group.Eval(suite.Context(), at)
				for _, rule := range group.Rules() {
					fault = errors.Join(fault, rule.LastError())
				}
			}
		})
		if fault != nil {
			return nil, fault
		}
	}
	return firing(groups), nil
}

func firing(groups map[string]*rules.Group) []alert {
	found := []alert{}
	for _, group := range groups {
		for _, rule := range group.AlertingRules() {
			for _, active := range rule.ActiveAlerts() {
				if active.State == rules.StateFiring {
					found = append(found, alert{active.Labels.Map(), active.Annotations.Map()})
				}
			}
		}
	}
	return found
}
