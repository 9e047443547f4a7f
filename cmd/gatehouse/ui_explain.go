package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gatehouse/cmd/gatehouse/internal/explain"
	"gatehouse/core/config"
)

// hiddenSecret is a secret in the configuration that the admin API shows. In its place stands a
// secret that fits everywhere.
const (
	hiddenSecret = `"***"`
	anySecret    = `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`
)

// explainForPage says in words what decided about an event, under the configuration as the admin
// API answers with it.
func explainForPage(event, answer []byte) (string, error) {
	var of struct {
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(answer, &of); err != nil || of.Config == nil {
		return "", errors.New("the admin API's configuration can't be read")
	}
	text := bytes.ReplaceAll(of.Config, []byte(hiddenSecret), []byte(anySecret))
	cfg, err := config.Parse(text, nil)
	if err != nil {
		return "", fmt.Errorf("the gate's configuration is of another version: %s", oneLine(err.Error()))
	}
	configured, err := explain.Read(text)
	if err != nil {
		return "", err
	}
	read, err := explain.ReadEvent(event)
	if err != nil {
		return "", err
	}
	return inWords(eventExplanation(cfg, configured, read)), nil
}

// inWords is an explanation as lines of text.
func inWords(e explanation) string {
	lines := []string{e.Why}
	if e.Route != nil {
		lines = append(lines, "Route: "+e.Route.Name+" ("+e.Route.Path+")")
	}
	for _, c := range e.Compared {
		verdict := "does not fit"
		if c.OK {
			verdict = "fits"
		}
		lines = append(lines, fmt.Sprintf("%s: seen %s, configured %s: %s", c.What, orNothing(c.Seen), orNothing(c.Configured), verdict))
	}
	if n := e.Nearest; n != nil {
		lines = append(lines, "Nearest route: "+n.Name+" ("+n.Path+"), which lacked: "+n.Lacked)
	}
	return strings.Join(append(lines, e.Notes...), "\n")
}

func orNothing(values []string) string {
	if len(values) == 0 {
		return "nothing"
	}
	return strings.Join(values, ", ")
}
